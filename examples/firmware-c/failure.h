/* How the program ends. docs/firmware.md lists the same numbers; a test compares the two. */
#ifndef FAILURE_H
#define FAILURE_H

enum {
  DONE = 0,
  FAILED_USAGE = 2,        /* the command line, or what it names */
  FAILED_STORE = 3,        /* a file cannot be read or written */
  FAILED_NETWORK = 4,      /* no connection, or it broke */
  FAILED_TRUST = 5,        /* the server is not who it should be */
  FAILED_REFUSED = 6,      /* the server refused; its code is printed */
  FAILED_BUSY = 7,         /* 408, 429 or 5xx until the last attempt */
  FAILED_PENDING = 8,      /* 202 until the last attempt: nobody has approved yet */
  FAILED_ANSWER = 9,       /* an answer that cannot be read */
  FAILED_CERTIFICATE = 10, /* the certificate is not for this key and this device */
  FAILED_BROKER = 11,      /* the broker refused */
  FAILED_IDENTITY = 12,    /* there is no identity in the store, or it expired */
  FAILED_CRYPTO = 13       /* no randomness, no memory, no key */
};

/* Prints `firmware: ` and the sentence on stderr; returns `failure`. */
int fail(int failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, with the words of mbedTLS for its error `ret` behind the sentence. */
int fail_mbedtls(int failure, int ret, const char *what);

#endif
