/* A connection to the broker, with an identity. */
#ifndef SESSION_H
#define SESSION_H

#include "mqtt.h"
#include "tls.h"

struct session {
  int open;
  struct tls tls;
  struct mqtt mqtt;
};

/* Connects; tries again as long as that may help, at most `device->attempts` times. */
int session_open(struct session *session, struct device *device, struct identity *identity);

/* Ends it, if it is open. */
void session_close(struct session *session);

#endif
