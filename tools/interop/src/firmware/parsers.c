/*
 * Feeds mutations of a good answer to the parsers of the C example, built to stop at the first memory error: `parsers ANSWER SEED
 * COUNT`. ANSWER is a whole HTTP answer with PKCS#7 in base64. Prints how many were taken.
 */
#include "command.h"
#include "clock.h"
#include "failure.h"
#include "http.h"
#include "pkcs7.h"

#include <mbedtls/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct octets {
  unsigned char *at;
  size_t left;
};

/* xorshift64: the same mutations for the same seed, everywhere. */
static uint64_t state;
static size_t below(size_t bound) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (size_t)(state % bound);
}

/* In pieces of any size, as a network gives them. */
static int give(void *context, void *octets, size_t size) {
  struct octets *from = context;
  size_t piece = 1 + below(size);
  if (piece > from->left) piece = from->left;
  memcpy(octets, from->at, piece);
  from->at += piece;
  from->left -= piece;
  return (int)piece;
}

static size_t mutate(unsigned char *octets, size_t size) {
  static const char *const words[] = {"\r\n", "\n", ":", "0\r\n", "ffffffff", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
                                      "HTTP/1.1 200 OK\r\n\r\n", "Retry-After: 99999999999\r\n", "=", "\0"};
  for (size_t changes = 1 + below(4); changes > 0; changes--) {
    size_t at = below(size);
    switch (below(4)) {
      case 0: octets[at] = (unsigned char)below(256); break;
      case 1: size = at + 1; break;
      case 2: octets[at] ^= (unsigned char)(1u << below(8)); break;
      default: {
        const char *word = words[below(sizeof words / sizeof *words)];
        size_t length = strlen(word);
        if (at + length < size) memcpy(octets + at, word, length);
      }
    }
  }
  return size;
}

/* The exact size on the heap, so that a single octet read behind the end is seen. */
static int parse_certificates(const unsigned char *der, size_t size) {
  mbedtls_x509_crt certificates;
  unsigned char *copy = malloc(size == 0 ? 1 : size);
  memcpy(copy, der, size);
  mbedtls_x509_crt_init(&certificates);
  int ret = pkcs7_certificates(copy, size, &certificates);
  mbedtls_x509_crt_free(&certificates);
  free(copy);
  return ret;
}

int main(int argc, char **argv) {
  static struct http_answer answer;
  static unsigned char good[16384], der[16384], changed[16384];
  char id[72];
  FILE *file = argc == 4 ? fopen(argv[1], "rb") : NULL;
  if (file == NULL) return 2;
  size_t size = fread(good, 1, sizeof good, file), der_size, heads = 0, bodies = 0;
  fclose(file);
  state = strtoull(argv[2], NULL, 10) | 1;
  struct octets all = {good, size};
  if (http_receive(give, &all, &answer) != DONE) return 1;
  if (mbedtls_base64_decode(der, sizeof der, &der_size, (unsigned char *)answer.body, answer.length) != 0) return 1;
  if (parse_certificates(der, der_size) != 0) return 1;
  for (unsigned long count = strtoul(argv[3], NULL, 10); count > 0; count--) {
    memcpy(changed, good, size);
    struct octets octets = {changed, mutate(changed, size)};
    if (http_receive(give, &octets, &answer) == DONE) heads++;
    clock_parse_http(answer.body);
    command_id((const unsigned char *)answer.body, answer.length, id);
    memcpy(changed, der, der_size);
    if (parse_certificates(changed, mutate(changed, der_size)) == 0) bodies++;
  }
  printf("seed %s: %zu answers and %zu PKCS#7 messages were taken\n", argv[2], heads, bodies);
  return 0;
}
