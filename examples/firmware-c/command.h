/* Commands from the backend: `devices/<id>/commands/<name>`, answered on `…/<name>/result`. */
#ifndef COMMAND_H
#define COMMAND_H

#include "device.h"
#include "mqtt.h"

struct commands {
  const struct device *device;
  struct mqtt *mqtt;
  unsigned answered;
};

/* Subscribes, and has every command answered while `mqtt` is listened to. `commands` must live as long as `mqtt`. */
int command_serve(struct commands *commands, const struct device *device, struct mqtt *mqtt);

/* Publishes the reading of this device, the seconds since it was powered on, and waits until the broker has it. */
int command_publish_reading(const struct device *device, struct mqtt *mqtt);

/* The `id` of a command's JSON, `{"id":"…","arguments":…}`, with its quotes; `null` if it has none that is plain text. */
void command_id(const unsigned char *json, size_t size, char id[72]);

#endif
