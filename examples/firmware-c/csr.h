/* A key and the request for its certificate. */
#ifndef CSR_H
#define CSR_H

#include "device.h"

/* Base64 of a CSR with one name, on one line. */
#define CSR_MAX 1024

/* Makes a P-256 key. */
int csr_make_key(struct device *device, mbedtls_pk_context *key);

/* SHA-256 of the public key (SubjectPublicKeyInfo) in hexadecimal: by that an operator knows a device that has no token. */
int csr_fingerprint(mbedtls_pk_context *key, char hexadecimal[65]);

/*
 * A CSR with CN=<device id> and nothing else: what goes into the certificate is for the server to decide. Base64, which is
 * what EST wants (RFC 8951, section 3.1).
 */
int csr_write(struct device *device, mbedtls_pk_context *key, char base64[CSR_MAX]);

#endif
