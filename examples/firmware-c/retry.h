/* When to try again. */
#ifndef RETRY_H
#define RETRY_H

#include "device.h"

/* Whether the same request may succeed later. */
int retry_may_help(int failure);

/*
 * Milliseconds before attempt number `attempt` + 1, counted from 0: as long as the server asked for (Retry-After, RFC 9110,
 * section 10.2.3), and then up to min(60 s, 0.5 s * 2^attempt) more, at random, so that a fleet that lost its server at
 * one moment does not come back at one moment.
 */
long long retry_delay_ms(struct device *device, unsigned attempt, long retry_after);

/* Says so, and waits. */
void retry_wait(long long ms);

#endif
