#include "options.h"

#include "failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: firmware --id=ID --root=FILE --store=FOLDER [option…] step…\n"
    "  steps: enroll, publish, command (answers one), renew, run (all of it, until it is stopped)\n"
    "  --token-file=FILE     the one-time token, for enroll; without it an operator must approve\n"
    "  --est=HOST:PORT       the enrollment server, localhost:8443 without it\n"
    "  --broker=HOST:PORT    the broker, localhost:8883 without it\n"
    "  --trust-domain=NAME   of the fleet, fleetroot.local without it\n"
    "  --attempts=N          for what may succeed later, 8 without it\n"
    "  --interval=SECONDS    between two readings of run, 10 without it\n";

static char token[128];

static int read_endpoint(const char *text, struct endpoint *endpoint) {
  const char *colon = strrchr(text, ':');
  size_t length = colon == NULL ? 0 : (size_t)(colon - text);
  if (length == 0 || length >= sizeof endpoint->host || strlen(colon + 1) >= sizeof endpoint->port || colon[1] == '\0')
    return fail(FAILED_USAGE, "%s: write HOST:PORT", text);
  memcpy(endpoint->host, text, length);
  endpoint->host[length] = '\0';
  strcpy(endpoint->port, colon + 1);
  return DONE;
}

/* In a file and not on the command line, which every user of the machine can read. */
static int read_token(const char *path, struct device *device) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return fail(FAILED_STORE, "%s cannot be read", path);
  char *line = fgets(token, sizeof token, file);
  fclose(file);
  if (line == NULL) return fail(FAILED_STORE, "%s holds no token", path);
  token[strcspn(token, "\r\n")] = '\0';
  device->token = token;
  return DONE;
}

static int read_number(const char *text, unsigned long most, unsigned *number) {
  char *end;
  unsigned long value = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || value < 1 || value > most)
    return fail(FAILED_USAGE, "%s: write a number from 1 to %lu", text, most);
  *number = (unsigned)value;
  return DONE;
}

/* As the server's grammar of device ids is: nothing in one needs escaping, in a name, in a path, in JSON or in a topic. */
static int read_id(const char *text, struct device *device) {
  static const char first[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";
  size_t length = strlen(text);
  if (length < 1 || length >= sizeof device->id || strspn(text, first) != length || strchr("._-", text[0]) != NULL)
    return fail(FAILED_USAGE, "--id: 1 to 64 letters, digits, \".\", \"_\" or \"-\", beginning with a letter or a digit");
  strcpy(device->id, text);
  return DONE;
}

/* The value of `--name=value`, NULL if the word is another option. */
static const char *value_of(const char *word, const char *name) {
  size_t length = strlen(name);
  return strncmp(word, name, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

int options_read(int argc, char **argv, struct options *options, struct device *device) {
  const char *value, *trust_domain = "fleetroot.local";
  unsigned seconds = 10;
  int failure = DONE, i = 1;
  memset(options, 0, sizeof *options);
  memset(device, 0, sizeof *device);
  device->attempts = 8;
  strcpy(device->est.host, "localhost");
  strcpy(device->est.port, "8443");
  strcpy(device->broker.host, "localhost");
  strcpy(device->broker.port, "8883");
  for (; failure == DONE && i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
    if ((value = value_of(argv[i], "--id")) != NULL) failure = read_id(value, device);
    else if ((value = value_of(argv[i], "--root")) != NULL) options->root = value;
    else if ((value = value_of(argv[i], "--store")) != NULL) device->store = value;
    else if ((value = value_of(argv[i], "--token-file")) != NULL) failure = read_token(value, device);
    else if ((value = value_of(argv[i], "--est")) != NULL) failure = read_endpoint(value, &device->est);
    else if ((value = value_of(argv[i], "--broker")) != NULL) failure = read_endpoint(value, &device->broker);
    else if ((value = value_of(argv[i], "--trust-domain")) != NULL) trust_domain = value;
    else if ((value = value_of(argv[i], "--attempts")) != NULL) failure = read_number(value, 1000000, &device->attempts);
    else if ((value = value_of(argv[i], "--interval")) != NULL) failure = read_number(value, 86400, &seconds);
    else failure = fail(FAILED_USAGE, "%s is no option", argv[i]);
  }
  if (failure == DONE && (device->id[0] == '\0' || options->root == NULL || device->store == NULL || i == argc))
    failure = fail(FAILED_USAGE, "--id, --root, --store and a step are needed");
  if (failure == FAILED_USAGE) fputs(usage, stderr);
  if (strlen(trust_domain) > 255) return fail(FAILED_USAGE, "--trust-domain is too long");
  snprintf(device->est.identity, sizeof device->est.identity, "spiffe://%s/service/enrollment-server", trust_domain);
  snprintf(device->broker.identity, sizeof device->broker.identity, "spiffe://%s/service/broker", trust_domain);
  device->interval_ms = seconds * 1000;
  options->step = (const char **)(void *)(argv + i);
  options->steps = argc - i;
  return failure;
}
