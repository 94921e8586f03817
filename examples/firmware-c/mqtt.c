#include "mqtt.h"

#include "clock.h"
#include "failure.h"

#include <string.h>

#define KEEP_ALIVE_SECONDS 60
/* Half of it: a ping and its answer fit into the other half. */
#define PING_AFTER_MS (KEEP_ALIVE_SECONDS * 500)
#define ANSWER_TIMEOUT_MS 20000

/* Packet types with the flags that they must have (MQTT 3.1.1, section 2.2). */
enum {
  CONNECT = 0x10,
  CONNACK = 0x20,
  PUBLISH = 0x30,
  PUBLISH_QOS1 = 0x32,
  PUBACK = 0x40,
  SUBSCRIBE = 0x82,
  SUBACK = 0x90,
  PINGREQ = 0xc0,
  PINGRESP = 0xd0,
  DISCONNECT = 0xe0
};

/* A packet that is being written: into `out`, behind room for the longest fixed header. */
#define HEADER_MAX 5
struct packet {
  unsigned char *out;
  size_t size;
  int overflow;
};

static void put(struct packet *packet, const void *octets, size_t size) {
  packet->overflow |= size > MQTT_PACKET_MAX - HEADER_MAX - packet->size;
  if (packet->overflow) return;
  memcpy(packet->out + HEADER_MAX + packet->size, octets, size);
  packet->size += size;
}

static void put_number(struct packet *packet, size_t number) {
  unsigned char octets[2] = {(unsigned char)(number >> 8), (unsigned char)number};
  put(packet, octets, 2);
}

static void put_text(struct packet *packet, const char *text) {
  put_number(packet, strlen(text));
  put(packet, text, strlen(text));
}

static int send_packet(struct mqtt *mqtt, int type, const struct packet *packet) {
  unsigned char header[HEADER_MAX];
  size_t length = 0, remaining = packet->size;
  if (packet->overflow) return fail(FAILED_USAGE, "a message is larger than %d octets", MQTT_PACKET_MAX);
  header[length++] = (unsigned char)type;
  do {
    unsigned char digit = remaining % 128;
    remaining /= 128;
    header[length++] = remaining > 0 ? digit | 0x80 : digit;
  } while (remaining > 0);
  unsigned char *start = packet->out + HEADER_MAX - length;
  memcpy(start, header, length);
  mqtt->quiet_since_ms = clock_monotonic_ms();
  return tls_write(mqtt->tls, start, length + packet->size);
}

static uint16_t next_id(struct mqtt *mqtt) {
  if (++mqtt->last_id == 0) mqtt->last_id = 1;
  return mqtt->last_id;
}

/* The packet at the beginning of `in`: its size, and where its body begins; 0 while it is not complete. */
static size_t packet_size(const struct mqtt *mqtt, size_t *header) {
  size_t remaining = 0;
  for (size_t i = 1; i < mqtt->have && i < HEADER_MAX; i++) {
    remaining |= (size_t)(mqtt->in[i] & 0x7f) << (7 * (i - 1));
    if ((mqtt->in[i] & 0x80) != 0) continue;
    *header = i + 1;
    return *header + remaining;
  }
  return mqtt->have < HEADER_MAX ? 0 : MQTT_PACKET_MAX + 1;
}

/* Reads until a packet is complete. FAILED_PENDING, without a word: none was at `deadline_ms`. */
static int receive_packet(struct mqtt *mqtt, long long deadline_ms, size_t *header, size_t *size) {
  for (;;) {
    *size = packet_size(mqtt, header);
    if (*size > MQTT_PACKET_MAX) return fail(FAILED_ANSWER, "the broker sends a packet that is too large");
    if (*size > 0 && mqtt->have >= *size) return DONE;
    long long left = deadline_ms - clock_monotonic_ms();
    if (left <= 0) return FAILED_PENDING;
    int got = tls_read(mqtt->tls, mqtt->in + mqtt->have, MQTT_PACKET_MAX - mqtt->have, (unsigned)left);
    if (got == TLS_TIMEOUT) continue;
    if (got <= 0) return fail(FAILED_NETWORK, "the broker closed the connection");
    mqtt->have += (size_t)got;
  }
}

static void take_packet(struct mqtt *mqtt, size_t size) {
  mqtt->have -= size;
  memmove(mqtt->in, mqtt->in + size, mqtt->have);
}

/* PUBLISH (section 3.3): acknowledged when it has been handled, so that a crash has it delivered again. */
static int handle_message(struct mqtt *mqtt, const unsigned char *body, size_t size) {
  char topic[256];
  int qos = mqtt->in[0] >> 1 & 3;
  size_t length = size < 2 ? size : (size_t)(body[0] << 8 | body[1]);
  size_t head = 2 + length + (qos > 0 ? 2 : 0);
  if (qos > 1 || head > size) return fail(FAILED_ANSWER, "the broker sends a message that cannot be read");
  if (length < sizeof topic && memchr(body + 2, '\0', length) == NULL) {
    memcpy(topic, body + 2, length);
    topic[length] = '\0';
    if (mqtt->on_message != NULL) mqtt->on_message(mqtt->context, topic, body + head, size - head);
  }
  if (qos == 0) return DONE;
  struct packet packet = {.out = mqtt->out};
  put(&packet, body + 2 + length, 2);
  return send_packet(mqtt, PUBACK, &packet);
}

static int handle_packet(struct mqtt *mqtt, const unsigned char *body, size_t size) {
  if ((mqtt->in[0] & 0xf0) == PUBLISH) return handle_message(mqtt, body, size);
  if (mqtt->in[0] == PINGRESP && size == 0) {
    mqtt->pinged = 0;
    return DONE;
  }
  int is_puback = mqtt->in[0] == PUBACK && size == 2;
  int is_suback = mqtt->in[0] == SUBACK && size == 3;
  if ((!is_puback && !is_suback) || mqtt->unconfirmed == 0)
    return fail(FAILED_ANSWER, "the broker sends a packet that nobody asked for");
  mqtt->unconfirmed--;
  return is_suback && body[2] > 1 ? fail(FAILED_BROKER, "the broker does not allow the subscription") : DONE;
}

/* Handles packets until `deadline_ms`, or until nothing is unconfirmed. FAILED_PENDING: the time is over. */
static int handle_until(struct mqtt *mqtt, long long deadline_ms, int until_confirmed) {
  size_t header, size;
  while (!until_confirmed || mqtt->unconfirmed > 0) {
    long long ping_ms = mqtt->quiet_since_ms + PING_AFTER_MS;
    int failure = receive_packet(mqtt, ping_ms < deadline_ms ? ping_ms : deadline_ms, &header, &size);
    if (failure == DONE) {
      failure = handle_packet(mqtt, mqtt->in + header, size - header);
      take_packet(mqtt, size);
      if (failure != DONE) return failure;
    } else if (failure != FAILED_PENDING || clock_monotonic_ms() >= deadline_ms) {
      return failure;
    } else {
      struct packet ping = {.out = mqtt->out};
      if (mqtt->pinged) return fail(FAILED_NETWORK, "the broker answers no more");
      mqtt->pinged = 1;
      failure = send_packet(mqtt, PINGREQ, &ping);
      if (failure != DONE) return failure;
    }
  }
  return DONE;
}

static int judge_connack(int code) {
  static const char *const reasons[] = {"", "it does not speak MQTT 3.1.1", "it does not allow this client id",
                                        "it is not available", "it wants a password", "not authorized"};
  if (code == 0) return DONE;
  return fail(code == 3 ? FAILED_BUSY : FAILED_BROKER, "the broker refused (CONNACK %d): %s", code,
              code < 6 ? reasons[code] : "unknown reason");
}

int mqtt_connect(struct mqtt *mqtt, struct tls *tls, const char *client_id) {
  memset(mqtt, 0, sizeof *mqtt);
  mqtt->tls = tls;
  struct packet packet = {.out = mqtt->out};
  put_text(&packet, "MQTT");
  put(&packet, "\x04\x02", 2); /* level 4; clean session */
  put_number(&packet, KEEP_ALIVE_SECONDS);
  put_text(&packet, client_id);
  int failure = send_packet(mqtt, CONNECT, &packet);
  size_t header, size;
  if (failure == DONE) failure = receive_packet(mqtt, clock_monotonic_ms() + ANSWER_TIMEOUT_MS, &header, &size);
  if (failure == FAILED_PENDING) return fail(FAILED_NETWORK, "the broker does not answer CONNECT");
  if (failure != DONE) return failure;
  if (mqtt->in[0] != CONNACK || size - header != 2) return fail(FAILED_ANSWER, "the broker does not answer with CONNACK");
  int code = mqtt->in[header + 1];
  take_packet(mqtt, size);
  return judge_connack(code);
}

int mqtt_publish(struct mqtt *mqtt, const char *topic, const void *payload, size_t size) {
  struct packet packet = {.out = mqtt->out};
  put_text(&packet, topic);
  put_number(&packet, next_id(mqtt));
  put(&packet, payload, size);
  int failure = send_packet(mqtt, PUBLISH_QOS1, &packet);
  if (failure == DONE) mqtt->unconfirmed++;
  return failure;
}

int mqtt_subscribe(struct mqtt *mqtt, const char *filter) {
  struct packet packet = {.out = mqtt->out};
  put_number(&packet, next_id(mqtt));
  put_text(&packet, filter);
  put(&packet, "\x01", 1);
  int failure = send_packet(mqtt, SUBSCRIBE, &packet);
  if (failure == DONE) mqtt->unconfirmed++;
  return failure;
}

int mqtt_settle(struct mqtt *mqtt) {
  int failure = handle_until(mqtt, clock_monotonic_ms() + ANSWER_TIMEOUT_MS, 1);
  return failure == FAILED_PENDING ? fail(FAILED_NETWORK, "the broker does not acknowledge") : failure;
}

int mqtt_listen(struct mqtt *mqtt, unsigned ms) {
  int failure = handle_until(mqtt, clock_monotonic_ms() + ms, 0);
  return failure == FAILED_PENDING ? DONE : failure;
}

void mqtt_disconnect(struct mqtt *mqtt) {
  struct packet packet = {.out = mqtt->out};
  send_packet(mqtt, DISCONNECT, &packet);
}
