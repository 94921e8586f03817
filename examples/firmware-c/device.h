/* One device: what it was provisioned with, and what all of its work shares. */
#ifndef DEVICE_H
#define DEVICE_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <time.h>

/* A server: where it is, and the URI that its certificate must have beside the host name. */
struct endpoint {
  char host[256];
  char port[6];
  char identity[320];
};

struct device {
  char id[65];
  const char *store;      /* the folder of its identity */
  const char *token;      /* NULL without one */
  struct endpoint est;
  struct endpoint broker;
  unsigned attempts;      /* for what may succeed later */
  unsigned interval_ms;   /* between two readings */
  time_t clock_floor;     /* no true clock says less, see clock.h */
  time_t clock_offset;    /* what to add to the clock of the board */
  mbedtls_x509_crt roots; /* trust anchors, see anchors.h */
  char pin[70];           /* names the root that the device was provisioned with */
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
};

/* A key with its certificate and the CA that issued it. */
struct identity {
  mbedtls_pk_context key;
  mbedtls_x509_crt chain; /* leaf first */
  time_t obtained;        /* by the clock of the device */
};

/* Randomness. Call device_free in any case. */
int device_init(struct device *device);
void device_free(struct device *device);

void identity_init(struct identity *identity);
void identity_free(struct identity *identity);

#endif
