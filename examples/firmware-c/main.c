/*
 * A whole device: enrolls with a one-time token, connects, publishes a reading, answers commands, renews itself.
 * `firmware` without arguments says how it is called; docs/firmware.md has the story.
 */
#include "anchors.h"
#include "clock.h"
#include "command.h"
#include "device.h"
#include "failure.h"
#include "issued.h"
#include "lifecycle.h"
#include "options.h"
#include "retry.h"
#include "run.h"
#include "session.h"
#include "store.h"

#include <stdio.h>
#include <string.h>

static int load(struct device *device, struct identity *identity) {
  int failure = store_load(device, STORE_IDENTITY, identity);
  return failure == FAILED_IDENTITY ? fail(failure, "there is no identity: enroll first") : failure;
}

static int enroll(struct device *device, struct identity *identity, struct session *session) {
  (void)session;
  return lifecycle_enroll(device, identity);
}

static int publish(struct device *device, struct identity *identity, struct session *session) {
  int failure = load(device, identity);
  if (failure == DONE) failure = session_open(session, device, identity);
  if (failure == DONE) failure = command_publish_reading(device, &session->mqtt);
  if (failure == DONE) printf("session (sent %zu, received %zu octets)\n", session->tls.sent, session->tls.received);
  return failure;
}

/* Answers one command. */
static int command(struct device *device, struct identity *identity, struct session *session) {
  struct commands commands;
  int failure = load(device, identity);
  if (failure == DONE) failure = session_open(session, device, identity);
  if (failure == DONE) failure = command_serve(&commands, device, &session->mqtt);
  if (failure == DONE) printf("listening\n");
  while (failure == DONE && commands.answered == 0) failure = mqtt_listen(&session->mqtt, 100);
  return failure == DONE ? mqtt_settle(&session->mqtt) : failure;
}

static int renew(struct device *device, struct identity *identity, struct session *session) {
  struct identity next;
  struct est_result result;
  int failure = load(device, identity);
  for (unsigned attempt = 0; failure == DONE; attempt++) {
    identity_init(&next);
    failure = lifecycle_stage(device, identity, &next, &result);
    if (failure == DONE) failure = lifecycle_promote(device, &next, session);
    session_close(session); /* it has a pointer to `next` */
    identity_free(&next);
    if (failure == DONE || !retry_may_help(failure) || attempt + 1 >= device->attempts) break;
    retry_wait(retry_delay_ms(device, attempt, result.retry_after));
    failure = DONE;
  }
  return failure;
}

static const struct {
  const char *name;
  int (*step)(struct device *, struct identity *, struct session *);
} steps[] = {{"enroll", enroll}, {"publish", publish}, {"command", command}, {"renew", renew}, {"run", run}};

static int take_step(struct device *device, const char *name) {
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    if (strcmp(steps[i].name, name) != 0) continue;
    static struct session session;
    struct identity identity;
    identity_init(&identity);
    int failure = steps[i].step(device, &identity, &session);
    session_close(&session);
    identity_free(&identity);
    return failure;
  }
  return fail(FAILED_USAGE, "%s is no step", name);
}

int main(int argc, char **argv) {
  struct options options;
  struct device device;
  setvbuf(stdout, NULL, _IOLBF, 0);
  int failure = options_read(argc, argv, &options, &device);
  if (failure != DONE) return failure;
  failure = device_init(&device);
  if (failure == DONE) failure = anchors_load(&device, options.root);
  for (int i = 0; failure == DONE && i < options.steps; i++) failure = take_step(&device, options.step[i]);
  device_free(&device);
  return failure;
}
