#include "failure.h"

#include <mbedtls/error.h>
#include <stdarg.h>
#include <stdio.h>

int fail(int failure, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("firmware: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  return failure;
}

int fail_mbedtls(int failure, int ret, const char *what) {
  char words[160];
  mbedtls_strerror(ret, words, sizeof words);
  return fail(failure, "%s: %s", what, words);
}
