#include "run.h"

#include "clock.h"
#include "command.h"
#include "failure.h"
#include "issued.h"
#include "lifecycle.h"
#include "retry.h"

#include <signal.h>
#include <string.h>

/* How long it may take to notice a signal. */
#define SLICE_MS 250
#define SECONDS_AFTER_REFUSAL 3600

static volatile sig_atomic_t stopped;

static void stop(int number) {
  (void)number;
  stopped = 1;
}

struct life {
  struct device *device;
  struct identity *identity;
  struct session *session;
  struct commands commands;
  unsigned failed_renewals;
  long long next_renewal_ms;
};

static int begin(struct life *life) {
  int failure = session_open(life->session, life->device, life->identity);
  return failure == DONE ? command_serve(&life->commands, life->device, &life->session->mqtt) : failure;
}

static int give_up_renewal(struct life *life, struct identity *next, int failure, long retry_after) {
  identity_free(next);
  /* A refusal may end as well, when the operator resumes the device, say: ask on, but seldom. */
  if (!retry_may_help(failure)) retry_after = SECONDS_AFTER_REFUSAL;
  life->next_renewal_ms = clock_monotonic_ms() + retry_delay_ms(life->device, life->failed_renewals++, retry_after);
  if (issued_is_valid(life->device, life->identity) || retry_may_help(failure)) return DONE;
  return fail(FAILED_IDENTITY, "the certificate has expired and is not renewed: ask the operator for a token");
}

/* Asks over a connection of its own, so that the session goes on meanwhile; then the session moves to the new identity. */
static int renew_if_due(struct life *life) {
  struct identity next;
  struct est_result result;
  if (!issued_is_due(life->device, life->identity) || clock_monotonic_ms() < life->next_renewal_ms) return DONE;
  identity_init(&next);
  int failure = lifecycle_stage(life->device, life->identity, &next, &result);
  if (failure != DONE) return give_up_renewal(life, &next, failure, result.retry_after);
  session_close(life->session);
  failure = lifecycle_promote(life->device, &next, life->session);
  if (failure != DONE) {
    failure = give_up_renewal(life, &next, failure, -1);
    return failure == DONE ? begin(life) : failure;
  }
  identity_free(life->identity);
  *life->identity = next;
  life->failed_renewals = 0;
  /* The session has pointers to `next`, which ends here. */
  session_close(life->session);
  return begin(life);
}

static int live(struct life *life, unsigned interval_ms) {
  int failure = DONE;
  while (failure == DONE && !stopped) {
    long long next_reading_ms = clock_monotonic_ms() + interval_ms;
    failure = command_publish_reading(life->device, &life->session->mqtt);
    while (failure == DONE && !stopped && clock_monotonic_ms() < next_reading_ms) {
      failure = mqtt_listen(&life->session->mqtt, SLICE_MS);
      if (failure == DONE) failure = renew_if_due(life);
    }
  }
  return failure;
}

int run(struct device *device, struct identity *identity, struct session *session) {
  struct life life = {.device = device, .identity = identity, .session = session};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = stop;
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  int failure = lifecycle_enroll(device, identity);
  for (unsigned attempt = 0; failure == DONE && !stopped; attempt++) {
    long long began_ms = clock_monotonic_ms();
    failure = begin(&life);
    if (failure == DONE) failure = live(&life, device->interval_ms);
    session_close(session);
    if (stopped) return DONE;
    if (clock_monotonic_ms() - began_ms > 60000) attempt = 0;
    if (!retry_may_help(failure)) return failure;
    retry_wait(retry_delay_ms(device, attempt, -1));
    failure = DONE;
  }
  return failure;
}
