#include "session.h"

#include "clock.h"
#include "est.h"
#include "failure.h"
#include "retry.h"

static int connect_once(struct session *session, struct device *device, struct identity *identity) {
  /* Without a clock nobody could say whether the broker's certificate has expired. */
  int failure = clock_is_set(device) ? DONE : est_set_clock(device);
  if (failure != DONE) return failure;
  failure = tls_connect(&session->tls, device, &device->broker, identity);
  if (failure == DONE) failure = mqtt_connect(&session->mqtt, &session->tls, device->id);
  session->open = failure == DONE;
  if (failure != DONE) tls_close(&session->tls);
  return failure;
}

int session_open(struct session *session, struct device *device, struct identity *identity) {
  for (unsigned attempt = 0;; attempt++) {
    int failure = connect_once(session, device, identity);
    if (failure == DONE || !retry_may_help(failure) || attempt + 1 >= device->attempts) return failure;
    retry_wait(retry_delay_ms(device, attempt, -1));
  }
}

void session_close(struct session *session) {
  if (!session->open) return;
  session->open = 0;
  mqtt_disconnect(&session->mqtt);
  tls_close(&session->tls);
}
