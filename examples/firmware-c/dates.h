/* The dates of certificates, by the clock of the device and not by time(), which on a board may be 1970. */
#ifndef DATES_H
#define DATES_H

#include "device.h"

/* Seconds since 1970. */
time_t dates_seconds(const mbedtls_x509_time *time);

/* A callback of mbedtls_x509_crt_verify, whose own opinion of the dates it replaces; `context` is the device. */
int dates_judge(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);

#endif
