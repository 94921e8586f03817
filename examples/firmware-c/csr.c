#include "csr.h"

#include "failure.h"
#include "mbedtls3.h"

#include <mbedtls/base64.h>
#include <mbedtls/ecp.h>
#include <mbedtls/x509_csr.h>
#include <stdio.h>

int csr_make_key(struct device *device, mbedtls_pk_context *key) {
  int ret = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (ret == 0)
    ret = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), mbedtls_ctr_drbg_random, &device->random);
  return ret == 0 ? DONE : fail_mbedtls(FAILED_CRYPTO, ret, "cannot make a key");
}

int csr_fingerprint(mbedtls_pk_context *key, char hexadecimal[65]) {
  unsigned char der[256], hash[32];
  int length = mbedtls_pk_write_pubkey_der(key, der, sizeof der);
  int ret = length < 0 ? length : sha256_of(der + sizeof der - length, (size_t)length, hash);
  if (ret != 0) return fail_mbedtls(FAILED_CRYPTO, ret, "cannot name the key");
  for (int i = 0; i < 32; i++) snprintf(hexadecimal + 2 * i, 3, "%02x", hash[i]);
  return DONE;
}

int csr_write(struct device *device, mbedtls_pk_context *key, char base64[CSR_MAX]) {
  mbedtls_x509write_csr csr;
  unsigned char der[CSR_MAX / 4 * 3];
  char subject[sizeof device->id + 3];
  size_t length;
  /* An id has letters, digits and `.` `_` `-` only: nothing that a name would need escaped. */
  snprintf(subject, sizeof subject, "CN=%s", device->id);
  mbedtls_x509write_csr_init(&csr);
  mbedtls_x509write_csr_set_md_alg(&csr, MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(&csr, key);
  int ret = mbedtls_x509write_csr_set_subject_name(&csr, subject);
  if (ret == 0) ret = mbedtls_x509write_csr_der(&csr, der, sizeof der, mbedtls_ctr_drbg_random, &device->random);
  mbedtls_x509write_csr_free(&csr);
  /* The DER is at the end of the buffer. */
  if (ret > 0)
    ret = mbedtls_base64_encode((unsigned char *)base64, CSR_MAX, &length, der + sizeof der - ret, (size_t)ret);
  return ret == 0 ? DONE : fail_mbedtls(FAILED_CRYPTO, ret, "cannot make the CSR");
}
