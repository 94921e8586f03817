/* Time for a board that may have none. */
#ifndef CLOCK_H
#define CLOCK_H

#include "device.h"

/* Raises the floor: `when` has been. It begins with the time of this build. */
void clock_has_been(struct device *device, time_t when);

/* Now, by the clock of the board and what was learned about it. */
time_t clock_now(const struct device *device);

/* False on a board that has just been powered on and believes in 1970. */
int clock_is_set(const struct device *device);

/* Believes `now`, which an authenticated server said. */
void clock_set(struct device *device, time_t now);

/* Seconds since 1970 of a date in UTC; no time zone, and no timegm, which C99 does not have. */
time_t clock_seconds(int year, int month, int day, int hour, int minute, int second);

/* The Date of an HTTP answer, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7); 0 for anything else. */
time_t clock_parse_http(const char *text);

/* `2030-01-31T23:59:59Z` */
void clock_format(time_t when, char text[21]);

/* Milliseconds that only grow, for deadlines. */
long long clock_monotonic_ms(void);

#endif
