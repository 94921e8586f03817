#include "pkcs7.h"

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <string.h>

#define SEQUENCE (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE)
#define SET (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SET)
#define TAGGED_0 (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | 0)

/* 1.2.840.113549.1.7.2 */
static const unsigned char signed_data[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02};

/* Enters an element: `*at` becomes where its content begins, and `*end` where it ends. */
static int enter(unsigned char **at, unsigned char **end, int tag) {
  size_t length;
  int ret = mbedtls_asn1_get_tag(at, *end, &length, tag);
  if (ret == 0) *end = *at + length;
  return ret;
}

static int skip(unsigned char **at, unsigned char *end, int tag) {
  size_t length;
  int ret = mbedtls_asn1_get_tag(at, end, &length, tag);
  if (ret == 0) *at += length;
  return ret;
}

/*
 * ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT SignedData }
 * SignedData ::= SEQUENCE { version INTEGER, digestAlgorithms SET, encapContentInfo SEQUENCE,
 *                           certificates [0] IMPLICIT SET OF Certificate, … }           (RFC 5652, section 5.1)
 */
int pkcs7_certificates(const unsigned char *der, size_t size, mbedtls_x509_crt *certificates) {
  unsigned char *at = (unsigned char *)(size_t)der; /* mbedtls_asn1_get_tag reads only */
  unsigned char *end = at + size;
  size_t length;
  int ret;
  if ((ret = enter(&at, &end, SEQUENCE)) != 0) return ret;
  if ((ret = mbedtls_asn1_get_tag(&at, end, &length, MBEDTLS_ASN1_OID)) != 0) return ret;
  if (length != sizeof signed_data || memcmp(at, signed_data, length) != 0) return MBEDTLS_ERR_ASN1_INVALID_DATA;
  at += length;
  if ((ret = enter(&at, &end, TAGGED_0)) != 0) return ret;
  if ((ret = enter(&at, &end, SEQUENCE)) != 0) return ret;
  if ((ret = skip(&at, end, MBEDTLS_ASN1_INTEGER)) != 0) return ret;
  if ((ret = skip(&at, end, SET)) != 0) return ret;
  if ((ret = skip(&at, end, SEQUENCE)) != 0) return ret;
  if ((ret = enter(&at, &end, TAGGED_0)) != 0) return ret;
  while (at < end) {
    unsigned char *certificate = at;
    if ((ret = skip(&at, end, SEQUENCE)) != 0) return ret;
    if ((ret = mbedtls_x509_crt_parse_der(certificates, certificate, (size_t)(at - certificate))) != 0) return ret;
  }
  return 0;
}
