#include "lifecycle.h"

#include "clock.h"
#include "csr.h"
#include "failure.h"
#include "issued.h"
#include "retry.h"
#include "store.h"

#include <stdio.h>
#include <string.h>

/*
 * The key is on flash before the first request. If the answer to it is lost, the server gives the same certificate again
 * for the same token and key, and for no other key.
 */
static int load_or_make_key(struct device *device, struct identity *identity) {
  int failure = store_load(device, STORE_PENDING, identity);
  if (failure != FAILED_IDENTITY) return failure;
  failure = csr_make_key(device, &identity->key);
  return failure == DONE ? store_save(device, STORE_PENDING, identity) : failure;
}

static void say(const char *what, const struct device *device, const struct identity *identity,
                const struct est_result *result) {
  char until[21], serial[64];
  clock_format(issued_until(identity), until);
  mbedtls_x509_serial_gets(serial, sizeof serial, &identity->chain.serial);
  printf("%s %s, serial %s, until %s", what, device->id, serial, until);
  if (result != NULL) printf(" (sent %zu, received %zu octets)", result->sent, result->received);
  printf("\n");
}

/* Whoever approves compares this with what the server shows: the id alone is anybody's to claim. */
static int ask_operator(const struct device *device, struct identity *identity) {
  char fingerprint[65];
  int failure = csr_fingerprint(&identity->key, fingerprint);
  if (failure == DONE) printf("%s has no token and asks for approval of its key, SHA-256 %s\n", device->id, fingerprint);
  return failure;
}

int lifecycle_enroll(struct device *device, struct identity *identity) {
  struct est_result result;
  int failure = store_load(device, STORE_IDENTITY, identity);
  if (failure == DONE && issued_is_valid(device, identity)) {
    say("have", device, identity, NULL);
    return DONE;
  }
  if (failure != DONE && failure != FAILED_IDENTITY) return failure;
  identity_free(identity);
  identity_init(identity);
  failure = load_or_make_key(device, identity);
  if (failure == DONE && device->token == NULL) failure = ask_operator(device, identity);
  for (unsigned attempt = 0; failure == DONE; attempt++) {
    failure = est_enroll(device, NULL, identity, &result);
    if (failure == DONE) break;
    if (result.key_refused) store_remove(device, STORE_PENDING);
    if (!retry_may_help(failure) || attempt + 1 >= device->attempts) return failure;
    retry_wait(retry_delay_ms(device, attempt, result.retry_after));
    failure = DONE;
  }
  if (failure == DONE) failure = store_save(device, STORE_IDENTITY, identity);
  if (failure != DONE) return failure;
  store_remove(device, STORE_PENDING);
  say("enrolled", device, identity, &result);
  return DONE;
}

int lifecycle_stage(struct device *device, struct identity *identity, struct identity *next, struct est_result *result) {
  memset(result, 0, sizeof *result);
  result->retry_after = -1;
  int failure = store_load(device, STORE_STAGED, next);
  if (failure == DONE && issued_is_valid(device, next)) return DONE;
  if (failure != DONE && failure != FAILED_IDENTITY) return failure;
  identity_free(next);
  identity_init(next);
  failure = load_or_make_key(device, next);
  if (failure == DONE) failure = est_enroll(device, identity, next, result);
  if (result->key_refused) store_remove(device, STORE_PENDING);
  if (failure == DONE) failure = store_save(device, STORE_STAGED, next);
  if (failure != DONE) return failure;
  store_remove(device, STORE_PENDING);
  say("staged", device, next, result);
  return DONE;
}

int lifecycle_promote(struct device *device, struct identity *next, struct session *session) {
  int failure = session_open(session, device, next);
  if (failure == DONE) failure = store_promote(device, STORE_STAGED, STORE_IDENTITY);
  if (failure == DONE) say("renewed", device, next, NULL);
  /* Without a network it is neither good nor bad: the next start tries it again. */
  if (failure == FAILED_BROKER || failure == FAILED_REFUSED) store_remove(device, STORE_STAGED);
  return failure;
}
