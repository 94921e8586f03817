/*
 * mbedTLS 3.2 and later under the same words as mbedTLS 2.28: it wants randomness where it works with a private key, and names the
 * fields of its structures that are its own. Over both the device speaks TLS 1.2; for 1.3 mbedTLS 3 needs psa_crypto_init.
 */
#ifndef MBEDTLS3_H
#define MBEDTLS3_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_MAJOR < 3

#define MBEDTLS_PRIVATE(field) field

static inline int sha256_of(const unsigned char *octets, size_t size, unsigned char hash[32]) {
  return mbedtls_sha256_ret(octets, size, hash, 0);
}

static inline int key_parse(mbedtls_pk_context *key, const unsigned char *pem, size_t size, mbedtls_ctr_drbg_context *random) {
  (void)random;
  return mbedtls_pk_parse_key(key, pem, size, NULL, 0);
}

static inline int key_check_pair(const mbedtls_pk_context *public_key, const mbedtls_pk_context *private_key,
                                 mbedtls_ctr_drbg_context *random) {
  (void)random;
  return mbedtls_pk_check_pair(public_key, private_key);
}

static inline void tls12_only(mbedtls_ssl_config *config) {
  mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
}

#else

static inline int sha256_of(const unsigned char *octets, size_t size, unsigned char hash[32]) {
  return mbedtls_sha256(octets, size, hash, 0);
}

static inline int key_parse(mbedtls_pk_context *key, const unsigned char *pem, size_t size, mbedtls_ctr_drbg_context *random) {
  return mbedtls_pk_parse_key(key, pem, size, NULL, 0, mbedtls_ctr_drbg_random, random);
}

static inline int key_check_pair(const mbedtls_pk_context *public_key, const mbedtls_pk_context *private_key,
                                 mbedtls_ctr_drbg_context *random) {
  return mbedtls_pk_check_pair(public_key, private_key, mbedtls_ctr_drbg_random, random);
}

static inline void tls12_only(mbedtls_ssl_config *config) {
  mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
}

#endif

#endif
