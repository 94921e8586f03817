/* One answer of an HTTP/1.1 server (RFC 9112). */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>
#include <time.h>

/* Room for the CAs of a hierarchy in the middle of a rollover, in base64. */
#define HTTP_BODY_MAX 16384

struct http_answer {
  int status;
  long retry_after; /* seconds; -1 without one */
  time_t date;      /* 0 without one */
  int closes;       /* no further answer comes on this connection */
  size_t length;
  char body[HTTP_BODY_MAX + 1]; /* ends with NUL */
};

/* Where octets come from: how many there were, 0 at the end of the stream, negative if it broke. */
typedef int (*http_source)(void *context, void *octets, size_t size);

/* Reads one answer, 1xx answers skipped. FAILED_ANSWER: it is none that can be believed; FAILED_NETWORK: it did not come. */
int http_receive(http_source source, void *context, struct http_answer *answer);

#endif
