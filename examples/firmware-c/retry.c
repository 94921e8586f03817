#include "retry.h"

#include "failure.h"

#include <stdio.h>
#include <time.h>

#define BASE_MS 500u
#define CAP_MS 60000u
/* A server that asks for more than a day is not to be believed. */
#define RETRY_AFTER_MAX 86400

int retry_may_help(int failure) {
  return failure == FAILED_NETWORK || failure == FAILED_BUSY || failure == FAILED_PENDING;
}

long long retry_delay_ms(struct device *device, unsigned attempt, long retry_after) {
  uint32_t random = 0;
  uint32_t ceiling = attempt < 7 ? BASE_MS << attempt : CAP_MS;
  if (ceiling > CAP_MS) ceiling = CAP_MS;
  /* Without randomness the wait is the longest. */
  if (mbedtls_ctr_drbg_random(&device->random, (unsigned char *)&random, sizeof random) != 0) random = UINT32_MAX;
  long asked = retry_after < 0 ? 0 : retry_after > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : retry_after;
  return asked * 1000LL + (long long)((uint64_t)random * ceiling / UINT32_MAX);
}

void retry_wait(long long ms) {
  struct timespec wait = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
  fprintf(stderr, "firmware: again in %lld ms\n", ms);
  nanosleep(&wait, NULL);
}
