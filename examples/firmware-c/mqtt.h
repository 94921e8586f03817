/* MQTT 3.1.1 over a TLS connection: what a device needs of it, QoS 0 and 1. */
#ifndef MQTT_H
#define MQTT_H

#include "tls.h"

/* A packet that is larger is not sent, and one that comes ends the connection. */
#define MQTT_PACKET_MAX 2048

struct mqtt {
  struct tls *tls;
  uint16_t last_id;     /* of the last packet that was sent with one */
  unsigned unconfirmed; /* publications and subscriptions that the broker has not acknowledged */
  int pinged;           /* a PINGREQ is on its way */
  long long quiet_since_ms;
  void (*on_message)(void *context, const char *topic, const unsigned char *payload, size_t size);
  void *context;
  size_t have; /* octets of `in` that have come */
  unsigned char in[MQTT_PACKET_MAX];
  unsigned char out[MQTT_PACKET_MAX];
};

/* CONNECT with a clean session, and its CONNACK. FAILED_BROKER: the broker refused; FAILED_BUSY: it says "later". */
int mqtt_connect(struct mqtt *mqtt, struct tls *tls, const char *client_id);

/* Sends PUBLISH with QoS 1, SUBSCRIBE with QoS 1. mqtt_settle waits until the broker has taken them. */
int mqtt_publish(struct mqtt *mqtt, const char *topic, const void *payload, size_t size);
int mqtt_subscribe(struct mqtt *mqtt, const char *filter);

/* Handles what comes until everything is acknowledged. */
int mqtt_settle(struct mqtt *mqtt);

/* Handles what comes for `ms`; keeps the connection alive. Messages go to `on_message`, which may publish. */
int mqtt_listen(struct mqtt *mqtt, unsigned ms);

/* DISCONNECT: no will is sent. The TLS connection is for the caller to close. */
void mqtt_disconnect(struct mqtt *mqtt);

#endif
