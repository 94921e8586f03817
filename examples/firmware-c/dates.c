#include "dates.h"

#include "clock.h"

time_t dates_seconds(const mbedtls_x509_time *t) {
  return clock_seconds(t->year, t->mon, t->day, t->hour, t->min, t->sec);
}

int dates_judge(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
  time_t now = clock_now(context);
  (void)depth;
  *flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  if (now > dates_seconds(&certificate->valid_to)) *flags |= MBEDTLS_X509_BADCERT_EXPIRED;
  if (now < dates_seconds(&certificate->valid_from)) *flags |= MBEDTLS_X509_BADCERT_FUTURE;
  return 0;
}
