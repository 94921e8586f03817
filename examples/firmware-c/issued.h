/* What a device checks before it believes a certificate that it was given. */
#ifndef ISSUED_H
#define ISSUED_H

#include "device.h"

/*
 * Finds the certificate for the key of `identity` in `issued` and its CA in `cas`, and puts both there. Refuses one that is
 * not for this device, does not lead to a trust anchor, or is not valid now.
 */
int issued_take(struct device *device, const mbedtls_x509_crt *issued, const mbedtls_x509_crt *cas,
                struct identity *identity);

/* Whether the certificate of `identity` is valid now. */
int issued_is_valid(const struct device *device, const struct identity *identity);

/* Whether two thirds of its life are over, counted from when it was obtained. */
int issued_is_due(const struct device *device, const struct identity *identity);

/* The end of its validity. */
time_t issued_until(const struct identity *identity);

#endif
