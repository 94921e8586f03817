#include "anchors.h"

#include "dates.h"
#include "failure.h"
#include "mbedtls3.h"
#include "store.h"

#include <limits.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <stdio.h>
#include <string.h>

static int same(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b) {
  return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static int is_in(const mbedtls_x509_crt *certificate, const mbedtls_x509_crt *list) {
  for (; list != NULL && list->raw.p != NULL; list = list->next)
    if (same(&list->raw, &certificate->raw)) return 1;
  return 0;
}

/*
 * How many CAs there may be below one (RFC 5280, section 4.2.1.9). Below an issuing CA there is none: its key is on the server, and whoever
 * has taken that must not make a root of it. max_pathlen is one more than what the certificate says, 0 without a limit.
 */
static int depth_below(const mbedtls_x509_crt *ca) {
  int signs = (ca->MBEDTLS_PRIVATE(ext_types) & MBEDTLS_X509_EXT_KEY_USAGE) == 0 ||
              (ca->MBEDTLS_PRIVATE(key_usage) & MBEDTLS_X509_KU_KEY_CERT_SIGN) != 0;
  if (!ca->MBEDTLS_PRIVATE(ca_istrue) || !signs) return 0;
  return ca->MBEDTLS_PRIVATE(max_pathlen) == 0 ? INT_MAX : ca->MBEDTLS_PRIVATE(max_pathlen) - 1;
}

static int is_self_signed(mbedtls_x509_crt *certificate) {
  unsigned char hash[MBEDTLS_MD_MAX_SIZE];
  const mbedtls_x509_buf *signature = &certificate->MBEDTLS_PRIVATE(sig);
  mbedtls_md_type_t algorithm = certificate->MBEDTLS_PRIVATE(sig_md);
  const mbedtls_md_info_t *md = mbedtls_md_info_from_type(algorithm);
  return same(&certificate->subject_raw, &certificate->issuer_raw) && md != NULL &&
         mbedtls_md(md, certificate->tbs.p, certificate->tbs.len, hash) == 0 &&
         mbedtls_pk_verify(&certificate->pk, algorithm, hash, 0, signature->p, signature->len) == 0;
}

/* Whether a root of ours has signed a certificate for the name and the key of `root`: the new one with the old one (RFC 4210, 4.4). */
static int is_vouched_for(struct device *device, const mbedtls_x509_crt *root, const mbedtls_x509_crt *cas) {
  for (; cas != NULL && cas->raw.p != NULL; cas = cas->next) {
    mbedtls_x509_crt cross;
    uint32_t flags;
    if (!same(&cas->subject_raw, &root->subject_raw) || !same(&cas->pk_raw, &root->pk_raw)) continue;
    if (depth_below(cas) == 0 || depth_below(cas) < depth_below(root)) continue;
    mbedtls_x509_crt_init(&cross);
    int ret = mbedtls_x509_crt_parse_der(&cross, cas->raw.p, cas->raw.len);
    if (ret == 0) ret = mbedtls_x509_crt_verify(&cross, &device->roots, NULL, NULL, &flags, dates_judge, device);
    mbedtls_x509_crt_free(&cross);
    if (ret == 0) return 1;
  }
  return 0;
}

int anchors_learn(struct device *device, mbedtls_x509_crt *cas) {
  mbedtls_x509_crt next;
  int ret = 0, changed = 0;
  mbedtls_x509_crt_init(&next);
  for (const mbedtls_x509_crt *root = &device->roots; ret == 0 && root != NULL && root->raw.p != NULL; root = root->next) {
    if (is_in(root, cas)) ret = mbedtls_x509_crt_parse_der(&next, root->raw.p, root->raw.len);
    else changed = 1;
  }
  for (mbedtls_x509_crt *ca = cas; ret == 0 && ca != NULL && ca->raw.p != NULL; ca = ca->next) {
    if (is_in(ca, &device->roots) || !is_self_signed(ca) || !is_vouched_for(device, ca, cas)) continue;
    ret = mbedtls_x509_crt_parse_der(&next, ca->raw.p, ca->raw.len);
    changed = 1;
  }
  int failure = ret == 0 ? DONE : fail_mbedtls(FAILED_CRYPTO, ret, "cannot keep the roots");
  if (failure == DONE && changed && next.raw.p != NULL) {
    failure = store_save_certificates(device, STORE_ANCHORS, device->pin, &next);
    if (failure == DONE) {
      mbedtls_x509_crt_free(&device->roots);
      device->roots = next;
      printf("the roots have changed\n");
      return DONE;
    }
  }
  mbedtls_x509_crt_free(&next);
  return failure;
}

int anchors_load(struct device *device, const char *pin) {
  unsigned char hash[32];
  int ret = mbedtls_x509_crt_parse_file(&device->roots, pin);
  if (ret != 0) return fail_mbedtls(FAILED_STORE, ret, pin);
  ret = sha256_of(device->roots.raw.p, device->roots.raw.len, hash);
  if (ret != 0) return fail_mbedtls(FAILED_CRYPTO, ret, pin);
  int length = snprintf(device->pin, sizeof device->pin, "pin ");
  for (int i = 0; i < 32; i++) length += snprintf(device->pin + length, 3, "%02x", hash[i]);
  mbedtls_x509_crt learned;
  mbedtls_x509_crt_init(&learned);
  int failure = store_load_certificates(device, STORE_ANCHORS, device->pin, &learned);
  if (failure == DONE) {
    mbedtls_x509_crt_free(&device->roots);
    device->roots = learned;
    return DONE;
  }
  mbedtls_x509_crt_free(&learned);
  return failure == FAILED_IDENTITY ? DONE : failure;
}
