#include "clock.h"

#include <stdio.h>
#include <string.h>

#ifndef BUILD_TIME
#error "compile with -DBUILD_TIME=seconds since 1970; the Makefile does"
#endif

void clock_has_been(struct device *device, time_t when) {
  if (device->clock_floor < (time_t)BUILD_TIME) device->clock_floor = (time_t)BUILD_TIME;
  if (device->clock_floor < when) device->clock_floor = when;
}

time_t clock_now(const struct device *device) { return time(NULL) + device->clock_offset; }

int clock_is_set(const struct device *device) { return clock_now(device) >= device->clock_floor; }

void clock_set(struct device *device, time_t now) { device->clock_offset = now - time(NULL); }

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that a leap day is last. */
time_t clock_seconds(int year, int month, int day, int hour, int minute, int second) {
  long long y = month <= 2 ? year - 1 : year;
  long long era = y / 400;
  long long year_of_era = y - era * 400;
  long long day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  long long days = era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
  return (time_t)(days * 86400 + hour * 3600 + minute * 60 + second);
}

time_t clock_parse_http(const char *text) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char weekday[4], month[4], zone[4];
  int day, year, hour, minute, second;
  if (strlen(text) != 29) return 0;
  if (sscanf(text, "%3s, %2d %3s %4d %2d:%2d:%2d %3s", weekday, &day, month, &year, &hour, &minute, &second, zone) != 8)
    return 0;
  const char *found = strstr(months, month);
  if (strlen(month) != 3 || found == NULL || (found - months) % 3 != 0 || strcmp(zone, "GMT") != 0) return 0;
  if (year < 1970 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
    return 0;
  return clock_seconds(year, (int)(found - months) / 3 + 1, day, hour, minute, second);
}

void clock_format(time_t when, char text[21]) {
  struct tm parts;
  if (gmtime_r(&when, &parts) == NULL || strftime(text, 21, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) text[0] = '\0';
}

long long clock_monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
