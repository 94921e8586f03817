#include "command.h"

#include "clock.h"
#include "failure.h"

#include <stdio.h>
#include <string.h>

/*
 * Looks for the member `id` of the outermost object, whatever strings, objects and lists are around it. A product that reads
 * more of a command than this takes a JSON parser.
 */
void command_id(const unsigned char *json, size_t size, char id[72]) {
  int depth = 0, is_id = 0;
  strcpy(id, "null");
  for (size_t i = 0; i < size; i++) {
    if (json[i] == '{' || json[i] == '[') depth++;
    if (json[i] == '}' || json[i] == ']') depth--;
    if (strchr(" \t\r\n:", json[i]) != NULL && json[i] != '\0') continue;
    if (json[i] != '"') {
      is_id = 0;
      continue;
    }
    size_t start = i++;
    int is_plain = 1;
    for (; i < size && json[i] != '"'; i++) {
      is_plain &= json[i] >= ' ' && json[i] <= '~' && json[i] != '\\';
      if (json[i] == '\\') i++;
    }
    if (i >= size) return;
    size_t length = i + 1 - start;
    if (depth == 1 && is_id && is_plain && length < 72) {
      memcpy(id, json + start, length);
      id[length] = '\0';
      return;
    }
    is_id = depth == 1 && length == 4 && memcmp(json + start, "\"id\"", 4) == 0;
  }
}

static long long reading(void) { return clock_monotonic_ms() / 1000; }

static void answer(void *context, const char *topic, const unsigned char *payload, size_t size) {
  struct commands *commands = context;
  char prefix[96], id[72], result[192], result_topic[288];
  size_t length = (size_t)snprintf(prefix, sizeof prefix, "devices/%s/commands/", commands->device->id);
  /* Our own results match the filter as well: they are one level deeper. */
  if (strncmp(topic, prefix, length) != 0 || topic[length] == '\0' || strchr(topic + length, '/') != NULL) return;
  command_id(payload, size, id);
  if (strcmp(topic + length, "read") == 0)
    snprintf(result, sizeof result, "{\"id\":%s,\"ok\":true,\"result\":{\"uptime\":%lld}}", id, reading());
  else
    snprintf(result, sizeof result, "{\"id\":%s,\"ok\":false,\"error\":\"this device knows no such command\"}", id);
  snprintf(result_topic, sizeof result_topic, "%s/result", topic);
  if (mqtt_publish(commands->mqtt, result_topic, result, strlen(result)) != DONE) return;
  commands->answered++;
  printf("answered %s\n", topic + length);
}

int command_serve(struct commands *commands, const struct device *device, struct mqtt *mqtt) {
  char filter[96];
  *commands = (struct commands){.device = device, .mqtt = mqtt};
  mqtt->on_message = answer;
  mqtt->context = commands;
  snprintf(filter, sizeof filter, "devices/%s/commands/#", device->id);
  int failure = mqtt_subscribe(mqtt, filter);
  return failure == DONE ? mqtt_settle(mqtt) : failure;
}

int command_publish_reading(const struct device *device, struct mqtt *mqtt) {
  char topic[112], payload[48];
  snprintf(topic, sizeof topic, "devices/%s/telemetry/uptime", device->id);
  int size = snprintf(payload, sizeof payload, "{\"seconds\":%lld}", reading());
  int failure = mqtt_publish(mqtt, topic, payload, (size_t)size);
  if (failure == DONE) failure = mqtt_settle(mqtt);
  if (failure == DONE) printf("published %s\n", topic);
  return failure;
}
