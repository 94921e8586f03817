/* How a device gets its identity, and its next one. */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "device.h"
#include "est.h"
#include "session.h"

/* The identity in use; gets the first one with the token where there is none that is valid. */
int lifecycle_enroll(struct device *device, struct identity *identity);

/*
 * Asks once for the next identity, with the one in use as credential, and keeps it beside that as `next`: staged. One that
 * was staged before a power cut is taken as it is.
 */
int lifecycle_stage(struct device *device, struct identity *identity, struct identity *next, struct est_result *result);

/*
 * Connects with the staged identity. If the broker takes it, it becomes the one in use, and the session stays open; if the broker
 * refuses, it is thrown away. The session of before must be closed: both have the same client id.
 */
int lifecycle_promote(struct device *device, struct identity *next, struct session *session);

#endif
