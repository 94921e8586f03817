/* What the firmware of a product does all day. */
#ifndef RUN_H
#define RUN_H

#include "device.h"
#include "session.h"

/* Enrolls if need be, publishes, answers commands, reconnects, and renews in time; until SIGTERM or SIGINT, or a failure that lasts. */
int run(struct device *device, struct identity *identity, struct session *session);

#endif
