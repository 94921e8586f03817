#include "est.h"

#include "anchors.h"
#include "clock.h"
#include "csr.h"
#include "failure.h"
#include "http.h"
#include "issued.h"
#include "pkcs7.h"
#include "tls.h"

#include <mbedtls/base64.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>
#include <string.h>

/* How long a server may take to sign. */
#define ANSWER_TIMEOUT_MS 30000

/* Too large for the stack of a small board. */
static struct http_answer answer;

static int from_tls(void *context, void *octets, size_t size) {
  return tls_read(context, octets, size, ANSWER_TIMEOUT_MS);
}

static int ask(struct tls *tls, const char *request) {
  int failure = tls_write(tls, request, strlen(request));
  return failure == DONE ? http_receive(from_tls, tls, &answer) : failure;
}

/* The first line of a refusal, without what would disturb a terminal. */
static const char *reason(void) {
  answer.body[strcspn(answer.body, "\r\n")] = '\0';
  for (char *c = answer.body; *c != '\0'; c++)
    if (*c < ' ' || *c > '~') *c = '?';
  return answer.body;
}

/* The code in front of a refusal (docs/enrollment.md): all that a device needs of it. */
static int is_about_key(void) {
  static const char *const codes[] = {"key-in-use:", "csr-key-weak:", "key-of-authority:"};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (strncmp(answer.body, codes[i], strlen(codes[i])) == 0) return 1;
  return 0;
}

static int judge_status(struct est_result *result) {
  result->retry_after = answer.retry_after;
  result->key_refused = answer.status >= 400 && answer.status < 500 && is_about_key();
  if (answer.status == 200) return DONE;
  if (answer.status == 202) return fail(FAILED_PENDING, "not approved yet");
  if (answer.status == 408 || answer.status == 429 || answer.status >= 500)
    return fail(FAILED_BUSY, "the server asks for patience (%d): %s", answer.status, reason());
  return fail(FAILED_REFUSED, "the server refused (%d): %s", answer.status, reason());
}

/* The certificates of the answer; base64 may have line breaks. */
static int read_certificates(mbedtls_x509_crt *certificates) {
  static unsigned char der[HTTP_BODY_MAX / 4 * 3];
  size_t size;
  int ret = mbedtls_base64_decode(der, sizeof der, &size, (const unsigned char *)answer.body, answer.length);
  if (ret == 0) ret = pkcs7_certificates(der, size, certificates);
  return ret == 0 ? DONE : fail_mbedtls(FAILED_ANSWER, ret, "the answer holds no certificates");
}

/*
 * A board without a clock has verified all of the server but its dates. It believes the time that this server says if
 * every certificate of it was valid then, and if it is not before what has been: no credential was sent until here.
 */
static int learn_time(struct device *device, const struct tls *tls) {
  if (clock_is_set(device)) return DONE;
  if (answer.date < device->clock_floor)
    return fail(FAILED_TRUST, "the clock is not set, and the server says a time that has been");
  if (answer.date < tls->valid_from || answer.date > tls->valid_to)
    return fail(FAILED_TRUST, "the server says a time at which its own certificate is not valid");
  clock_set(device, answer.date);
  return DONE;
}

static int get_cas(struct device *device, struct tls *tls, mbedtls_x509_crt *cas, struct est_result *result) {
  char request[512];
  snprintf(request, sizeof request, "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: %s:%s\r\n\r\n", device->est.host,
           device->est.port);
  int failure = ask(tls, request);
  if (failure == DONE) failure = judge_status(result);
  if (failure == DONE) failure = learn_time(device, tls);
  return failure == DONE ? read_certificates(cas) : failure;
}

/*
 * `Authorization: Basic` with `id:token` (RFC 7617); nothing for a renewal, where the certificate is the credential, and
 * nothing without a token: the server may let an operator decide.
 */
static int write_credential(const struct device *device, int renewing, char header[512]) {
  char plain[256];
  size_t prefix = 0, length;
  header[0] = '\0';
  if (renewing || device->token == NULL) return DONE;
  snprintf(plain, sizeof plain, "%s:%s", device->id, device->token);
  prefix = (size_t)snprintf(header, 512, "Authorization: Basic ");
  int ret = mbedtls_base64_encode((unsigned char *)header + prefix, 512 - prefix - 3, &length,
                                  (const unsigned char *)plain, strlen(plain));
  mbedtls_platform_zeroize(plain, sizeof plain);
  memcpy(header + prefix + length, "\r\n", 3);
  return ret == 0 ? DONE : fail_mbedtls(FAILED_CRYPTO, ret, "cannot write the credential");
}

static int post_csr(struct device *device, struct tls *tls, int renewing, struct identity *identity,
                    mbedtls_x509_crt *issued, struct est_result *result) {
  char csr[CSR_MAX], credential[512], request[512 + 512 + CSR_MAX];
  int failure = csr_write(device, &identity->key, csr);
  if (failure == DONE) failure = write_credential(device, renewing, credential);
  if (failure != DONE) return failure;
  snprintf(request, sizeof request,
           "POST /.well-known/est/%s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n%s"
           "Content-Type: application/pkcs10\r\nContent-Length: %zu\r\n\r\n%s",
           renewing ? "simplereenroll" : "simpleenroll", device->est.host, device->est.port, credential, strlen(csr), csr);
  failure = ask(tls, request);
  mbedtls_platform_zeroize(request, sizeof request);
  mbedtls_platform_zeroize(credential, sizeof credential);
  if (failure == DONE) failure = judge_status(result);
  return failure == DONE ? read_certificates(issued) : failure;
}

int est_set_clock(struct device *device) {
  struct tls tls;
  struct est_result result;
  mbedtls_x509_crt cas;
  mbedtls_x509_crt_init(&cas);
  int failure = tls_connect(&tls, device, &device->est, NULL);
  if (failure == DONE) failure = get_cas(device, &tls, &cas, &result);
  tls_close(&tls);
  mbedtls_x509_crt_free(&cas);
  return failure;
}

int est_enroll(struct device *device, struct identity *renewing, struct identity *identity, struct est_result *result) {
  struct tls tls;
  mbedtls_x509_crt cas, issued;
  memset(result, 0, sizeof *result);
  result->retry_after = -1;
  mbedtls_x509_crt_init(&cas);
  mbedtls_x509_crt_init(&issued);
  int failure = tls_connect(&tls, device, &device->est, renewing);
  if (failure == DONE) failure = get_cas(device, &tls, &cas, result);
  if (failure == DONE) failure = post_csr(device, &tls, renewing != NULL, identity, &issued, result);
  if (failure == DONE) failure = issued_take(device, &issued, &cas, identity);
  if (failure == DONE) failure = anchors_learn(device, &cas);
  result->sent = tls.sent;
  result->received = tls.received;
  tls_close(&tls);
  mbedtls_x509_crt_free(&issued);
  mbedtls_x509_crt_free(&cas);
  return failure;
}
