#include "http.h"

#include "clock.h"
#include "failure.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_OCTETS 1024
#define HEADERS_MAX 64
/* RFC 9110, section 5.6.2 */
#define TOKEN_CHARACTERS "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct reader {
  http_source source;
  void *context;
  size_t next;
  size_t end;
  unsigned char octets[512];
};

/* What the body is delimited by (RFC 9112, section 6.3). */
struct framing {
  int chunked;
  int has_length;
  size_t length;
};

/* The next octet, -1 at the end of the stream, -2 if it broke. */
static int next_octet(struct reader *reader) {
  if (reader->next == reader->end) {
    int got = reader->source(reader->context, reader->octets, sizeof reader->octets);
    if (got <= 0) return got == 0 ? -1 : -2;
    reader->next = 0;
    reader->end = (size_t)got;
  }
  return reader->octets[reader->next++];
}

static int broken(int octet) {
  return octet == -1 ? fail(FAILED_NETWORK, "the answer ends in the middle")
                     : fail(FAILED_NETWORK, "the connection broke before the whole answer had come");
}

static int read_line(struct reader *reader, char line[LINE_MAX_OCTETS]) {
  for (size_t length = 0; length < LINE_MAX_OCTETS; length++) {
    int octet = next_octet(reader);
    if (octet < 0) return broken(octet);
    if (octet == 0) return fail(FAILED_ANSWER, "the answer has a NUL in a line");
    line[length] = (char)octet;
    if (octet != '\n') continue;
    if (length > 0 && line[length - 1] == '\r') length--;
    line[length] = '\0';
    return DONE;
  }
  return fail(FAILED_ANSWER, "the answer has a line longer than %d octets", LINE_MAX_OCTETS);
}

/* A number in digits of `base`, alone or before `end`; -1 for anything else, and for more than 9 digits. */
static long number(const char *text, int base, char end) {
  size_t digits = strspn(text, base == 16 ? "0123456789abcdefABCDEF" : "0123456789");
  if (digits == 0 || digits > 9 || (text[digits] != '\0' && text[digits] != end)) return -1;
  return (long)strtoll(text, NULL, base);
}

static int read_header(char *line, struct http_answer *answer, struct framing *framing) {
  size_t name = strspn(line, TOKEN_CHARACTERS);
  if (name == 0 || line[name] != ':') return fail(FAILED_ANSWER, "the answer has a header field without a name");
  char *value = line + name;
  *value++ = '\0';
  value += strspn(value, " \t");
  for (size_t end = strlen(value); end > 0 && strchr(" \t", value[end - 1]) != NULL; end--) value[end - 1] = '\0';

  if (strcasecmp(line, "Content-Length") == 0) {
    long length = number(value, 10, '\0');
    if (length < 0 || (framing->has_length && framing->length != (size_t)length))
      return fail(FAILED_ANSWER, "the answer has a Content-Length that is none");
    framing->has_length = 1;
    framing->length = (size_t)length;
  } else if (strcasecmp(line, "Transfer-Encoding") == 0) {
    if (strcasecmp(value, "chunked") != 0) return fail(FAILED_ANSWER, "the answer has another Transfer-Encoding than chunked");
    framing->chunked = 1;
  } else if (strcasecmp(line, "Retry-After") == 0) {
    time_t date = clock_parse_http(value);
    answer->retry_after = number(value, 10, '\0');
    /* A date is as good as a number when the server says what time it is (RFC 9110, section 10.2.3). */
    if (date > 0 && answer->date > 0) answer->retry_after = date > answer->date ? (long)(date - answer->date) : 0;
  } else if (strcasecmp(line, "Date") == 0) {
    answer->date = clock_parse_http(value);
  } else if (strcasecmp(line, "Connection") == 0 && strcasecmp(value, "close") == 0) {
    answer->closes = 1;
  }
  return DONE;
}

static int read_head(struct reader *reader, struct http_answer *answer, struct framing *framing) {
  char line[LINE_MAX_OCTETS];
  int failure = read_line(reader, line);
  if (failure != DONE) return failure;
  /* HTTP-version SP 3DIGIT SP [ reason ] (RFC 9112, section 4) */
  if (strncmp(line, "HTTP/1.1 ", 9) != 0 || strspn(line + 9, "0123456789") != 3 || strchr(" ", line[12]) == NULL)
    return fail(FAILED_ANSWER, "the answer is not HTTP/1.1");
  memset(framing, 0, sizeof *framing);
  answer->status = atoi(line + 9);
  answer->retry_after = -1;
  answer->date = 0;
  answer->closes = 0;
  answer->length = 0;
  answer->body[0] = '\0';
  for (int headers = 0; headers < HEADERS_MAX; headers++) {
    failure = read_line(reader, line);
    if (failure != DONE || line[0] == '\0') return failure;
    failure = read_header(line, answer, framing);
    if (failure != DONE) return failure;
  }
  return fail(FAILED_ANSWER, "the answer has more than %d header fields", HEADERS_MAX);
}

static int read_body(struct reader *reader, struct http_answer *answer, size_t size) {
  if (size > HTTP_BODY_MAX - answer->length)
    return fail(FAILED_ANSWER, "the answer is larger than %d octets", HTTP_BODY_MAX);
  for (; size > 0; size--) {
    int octet = next_octet(reader);
    if (octet < 0) return broken(octet);
    answer->body[answer->length++] = (char)octet;
  }
  answer->body[answer->length] = '\0';
  return DONE;
}

/* RFC 9112, section 7.1 */
static int read_chunks(struct reader *reader, struct http_answer *answer) {
  char line[LINE_MAX_OCTETS];
  for (;;) {
    int failure = read_line(reader, line);
    if (failure != DONE) return failure;
    long size = number(line, 16, ';');
    if (size < 0) return fail(FAILED_ANSWER, "the answer has a chunk without a size");
    if (size == 0) break;
    failure = read_body(reader, answer, (size_t)size);
    if (failure == DONE) failure = read_line(reader, line);
    if (failure != DONE) return failure;
    if (line[0] != '\0') return fail(FAILED_ANSWER, "the answer has a chunk that does not end where it says");
  }
  for (int trailers = 0; trailers < HEADERS_MAX; trailers++) {
    int failure = read_line(reader, line);
    if (failure != DONE || line[0] == '\0') return failure;
  }
  return fail(FAILED_ANSWER, "the answer has more than %d trailer fields", HEADERS_MAX);
}

static int read_to_end(struct reader *reader, struct http_answer *answer) {
  for (;;) {
    int octet = next_octet(reader);
    if (octet == -1) return DONE;
    if (octet < 0) return broken(octet);
    if (answer->length == HTTP_BODY_MAX)
      return fail(FAILED_ANSWER, "the answer is larger than %d octets", HTTP_BODY_MAX);
    answer->body[answer->length++] = (char)octet;
    answer->body[answer->length] = '\0';
  }
}

int http_receive(http_source source, void *context, struct http_answer *answer) {
  struct reader reader = {.source = source, .context = context};
  struct framing framing;
  int interim = 0;
  do {
    int failure = read_head(&reader, answer, &framing);
    if (failure != DONE) return failure;
    if (interim++ > 4) return fail(FAILED_ANSWER, "the server says too often that it will answer");
  } while (answer->status < 200);
  if (answer->status == 204 || answer->status == 304) return DONE;
  if (framing.chunked && framing.has_length)
    return fail(FAILED_ANSWER, "the answer has both Content-Length and Transfer-Encoding");
  if (framing.chunked) return read_chunks(&reader, answer);
  if (framing.has_length) return read_body(&reader, answer, framing.length);
  answer->closes = 1;
  return read_to_end(&reader, answer);
}
