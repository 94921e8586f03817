/*
 * The roots that a device trusts: the one that it was provisioned with, and those that this one leads to. They are in
 * anchors.pem of the store; whoever provisions another root starts over.
 */
#ifndef ANCHORS_H
#define ANCHORS_H

#include "device.h"

/* Reads the roots of `pin`, a PEM file, or what was learned since from them. */
int anchors_load(struct device *device, const char *pin);

/*
 * Follows what the server, which a root of ours has proven, calls its CAs: takes in a new root if a certificate of it by a
 * root of ours is there as well, and drops a root that is listed no longer, but never the last.
 */
int anchors_learn(struct device *device, mbedtls_x509_crt *cas);

#endif
