/* Moments as text, see stamp.h. */
#include "stamp.h"
#include <deja/clock.h>

/*
 * The civil date of a day, by counting from 1 March, so that the leap day is a year's last (E. G. Richards,
 * Mapping Time, 1998; H. Hinnant, chrono-compatible low-level date algorithms). `day` counts from 1970-01-01.
 */
static void civil(int64_t day, stamp *ret)
{
    const int64_t since_0000 = day + 719468; /* days from 0000-03-01 */
    const int64_t era = since_0000 / 146097; /* of 400 years */
    const int64_t of_era = since_0000 % 146097;
    const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const int64_t month = (5 * of_year + 2) / 153; /* 0 is March */
    ret->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    ret->month = (int)(month < 10 ? month + 3 : month - 9);
    ret->year = (int)(era * 400 + year + (ret->month <= 2));
}

void stamp_of(int64_t wall_ns, stamp *ret)
{
    const int64_t ms = wall_ns > 0 ? wall_ns / DEJA_MS_NS : 0;
    const int64_t second = ms / 1000;
    civil(second / 86400, ret);
    ret->hour = (int)(second % 86400 / 3600);
    ret->minute = (int)(second % 3600 / 60);
    ret->second = (int)(second % 60);
    ret->millisecond = (int)(ms % 1000);
}

void stamp_add(deja_buffer *b, int64_t wall_ns)
{
    stamp s;
    stamp_of(wall_ns, &s);
    deja_buffer_addf(b, "%04d-%02d-%02dT%02d:%02d:%02dZ", s.year, s.month, s.day, s.hour, s.minute, s.second);
}
