#include "issued.h"

#include "clock.h"
#include "dates.h"
#include "failure.h"
#include "mbedtls3.h"

#include <mbedtls/pk.h>
#include <string.h>

static int same_name(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b) {
  return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

/* Exactly one name, a CN that is the device id. */
static int is_for(const mbedtls_x509_crt *certificate, const char *id) {
  const mbedtls_x509_name *name = &certificate->subject;
  return name->next == NULL && MBEDTLS_OID_CMP("\x55\x04\x03", &name->oid) == 0 && name->val.len == strlen(id) &&
         memcmp(name->val.p, id, name->val.len) == 0;
}

int issued_take(struct device *device, const mbedtls_x509_crt *issued, const mbedtls_x509_crt *cas,
                struct identity *identity) {
  uint32_t flags;
  const mbedtls_x509_crt *leaf = issued;
  while (leaf != NULL && leaf->raw.p != NULL && key_check_pair(&leaf->pk, &identity->key, &device->random) != 0)
    leaf = leaf->next;
  if (leaf == NULL || leaf->raw.p == NULL) return fail(FAILED_CERTIFICATE, "no certificate of the answer is for our key");
  if (!is_for(leaf, device->id)) return fail(FAILED_CERTIFICATE, "the certificate is for another device");

  int ret = mbedtls_x509_crt_parse_der(&identity->chain, leaf->raw.p, leaf->raw.len);
  for (const mbedtls_x509_crt *ca = cas; ret == 0 && ca != NULL && ca->raw.p != NULL; ca = ca->next)
    if (same_name(&ca->subject_raw, &leaf->issuer_raw) && !same_name(&ca->subject_raw, &ca->issuer_raw))
      ret = mbedtls_x509_crt_parse_der(&identity->chain, ca->raw.p, ca->raw.len);
  if (ret != 0) return fail_mbedtls(FAILED_CRYPTO, ret, "cannot keep the certificate");

  ret = mbedtls_x509_crt_verify(&identity->chain, &device->roots, NULL, NULL, &flags, dates_judge, device);
  if (ret != 0) {
    char reasons[256];
    mbedtls_x509_crt_verify_info(reasons, sizeof reasons, "", flags);
    reasons[strcspn(reasons, "\n")] = '\0';
    return fail(FAILED_CERTIFICATE, "the certificate is not valid: %s", reasons);
  }
  identity->obtained = clock_now(device);
  return DONE;
}

time_t issued_until(const struct identity *identity) { return dates_seconds(&identity->chain.valid_to); }

int issued_is_valid(const struct device *device, const struct identity *identity) {
  return clock_now(device) <= issued_until(identity);
}

/* notBefore says nothing: it is backdated, for boards whose clock is a little slow. */
int issued_is_due(const struct device *device, const struct identity *identity) {
  return clock_now(device) >= identity->obtained + (issued_until(identity) - identity->obtained) / 3 * 2;
}
