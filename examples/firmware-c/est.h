/* Enrollment over Secure Transport (RFC 7030, RFC 8951): the three requests that a device needs. */
#ifndef EST_H
#define EST_H

#include "device.h"

#include <stddef.h>

/* What one exchange with the server came to. */
struct est_result {
  long retry_after; /* seconds; -1 when the server named none */
  int key_refused;  /* no certificate will ever come for this key */
  size_t sent;      /* octets on the wire */
  size_t received;
};

/*
 * Gets a certificate for the key of `identity` and puts it there, with the CA that issued it, both verified: for
 * this key, for this device, below a trust anchor, and valid now. Follows a change of the roots. The credential is `renewing`, the identity in
 * use; NULL: the token of the device, or, without one, the word of an operator. Sets a clock that is not set. One attempt; returns a failure of failure.h.
 */
int est_enroll(struct device *device, struct identity *renewing, struct identity *identity, struct est_result *result);

/* Learns from the server what time it is, where the clock is not set. One attempt. */
int est_set_clock(struct device *device);

#endif
