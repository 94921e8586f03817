/* A TLS connection to a server that has proven to be the one that is meant. */
#ifndef TLS_H
#define TLS_H

#include "device.h"

#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <stddef.h>

struct tls {
  struct device *device;
  mbedtls_net_context net;
  mbedtls_ssl_config config;
  mbedtls_ssl_context ssl;
  time_t valid_from; /* of the server's chain, narrowed down to when all of it is valid */
  time_t valid_to;
  size_t sent; /* octets on the wire, TLS included */
  size_t received;
};

/*
 * Connects and verifies: the chain up to a trust anchor, the host name, the identity, and the dates, unless the clock
 * is not set. `own` is shown to the server; NULL for none. Prints why it fails. Call tls_close in any case.
 */
int tls_connect(struct tls *tls, struct device *device, const struct endpoint *server, struct identity *own);

/* Writes all of it. */
int tls_write(struct tls *tls, const void *octets, size_t size);

/*
 * Up to `size` octets: how many there were, 0 at the end of the stream, TLS_TIMEOUT after `timeout_ms` without any,
 * or another negative number: the connection broke.
 */
int tls_read(struct tls *tls, void *octets, size_t size, unsigned timeout_ms);
#define TLS_TIMEOUT MBEDTLS_ERR_SSL_TIMEOUT

/* Ends the connection and frees what it has. */
void tls_close(struct tls *tls);

#endif
