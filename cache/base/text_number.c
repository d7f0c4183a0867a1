/*
 * Numbers as text, independent of the locale: whole ones, doubles, bytes and durations.
 */
#include <deja/text.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 32 /* bytes, as the header says */
#define DIGITS    17 /* that tell any two doubles apart (IEEE 754-2019, 5.12.2) */

/* A decimal number: 0.DIGITS times 10^point, without zeros at the end. */
typedef struct decimal {
    char digits[DIGITS + 1];
    int point;
} decimal;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits of a positive `v`, rounded to `precision` of them. */
static decimal to_decimal(double v, int precision)
{
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "%.*e", precision - 1, v);
    decimal d = {.point = 0};
    int n = 0;
    const char *at = text;
    for (; *at && *at != 'e'; at++)
        if (is_digit(*at) && n < DIGITS)
            d.digits[n++] = *at;
    d.point = (*at ? (int)strtol(at + 1, NULL, 10) : 0) + 1;
    while (n > 1 && d.digits[n - 1] == '0')
        d.digits[--n] = '\0';
    return d;
}

/* The next larger number of as many digits: at a power of two the doubles below are twice as dense as those
   above, so that the nearest decimal may read back as the neighbour where the next one does not. */
static void increment(decimal *d)
{
    size_t at = strlen(d->digits);
    while (at > 0 && d->digits[at - 1] == '9')
        d->digits[--at] = '\0';
    if (at > 0) {
        d->digits[at - 1]++;
        return;
    }
    d->digits[0] = '1';
    d->point++;
}

/* An integer with an exponent has no decimal point, so no locale can spoil it. */
static double from_decimal(const decimal *d)
{
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "%se%d", d->digits, d->point - (int)strlen(d->digits));
    return strtod(text, NULL);
}

static decimal shortest(double v)
{
    /* DBL_DIG digits always survive the way to a normal double and back, so fewer are found by dropping
     * zeros. */
    for (int precision = v < DBL_MIN ? 1 : DBL_DIG; precision < DIGITS; precision++) {
        decimal d = to_decimal(v, precision);
        if (from_decimal(&d) == v)
            return d;
        if ((int)strlen(d.digits) == precision) {
            increment(&d);
            if (from_decimal(&d) == v)
                return d;
        }
    }
    return to_decimal(v, DIGITS);
}

/* Positional from 0.0001 up to 16 digits before the point, as people write it and as Python does; else
 * "1.5e-09". */
static void write_decimal(const decimal *d, double v, const char *sign, char text[TEXT_SIZE])
{
    int n = (int)strlen(d->digits);
    if (d->point > 16 || d->point < -3)
        snprintf(text, TEXT_SIZE, "%s%c%s%se%+03d", sign, d->digits[0], n > 1 ? "." : "", d->digits + 1,
                 d->point - 1);
    else if (d->point <= 0)
        snprintf(text, TEXT_SIZE, "%s0.%.*s%s", sign, -d->point, "000", d->digits);
    else if (n <= d->point)
        snprintf(text, TEXT_SIZE, "%s%llu", sign, (unsigned long long)v); /* exact up to 16 digits */
    else
        snprintf(text, TEXT_SIZE, "%s%.*s.%s", sign, d->point, d->digits, d->digits + d->point);
}

/* `number` with `places` decimals, zeros at its end dropped: 1520 with 2 is "15.2". */
static void write_scaled(uint64_t number, int places, const char *unit, char text[TEXT_SIZE])
{
    uint64_t scale = 1;
    for (; places > 0 && number % 10 == 0; places--)
        number /= 10;
    for (int i = 0; i < places; i++)
        scale *= 10;
    if (places)
        snprintf(text, TEXT_SIZE, "%llu.%0*llu %s", (unsigned long long)(number / scale), places,
                 (unsigned long long)(number % scale), unit);
    else
        snprintf(text, TEXT_SIZE, "%llu %s", (unsigned long long)number, unit);
}

int deja_text_int(const char *s, int64_t *ret)
{
    int negative = *s == '-';
    s += *s == '-' || *s == '+';
    if (!*s)
        return DEJA_ESYNTAX;
    int64_t v = 0;
    int overflow = 0;
    for (; *s; s++) {
        if (!is_digit(*s))
            return DEJA_ESYNTAX;
        int64_t digit = negative ? -(*s - '0') : *s - '0';
        overflow |= __builtin_mul_overflow(v, (int64_t)10, &v);
        overflow |= __builtin_add_overflow(v, digit, &v);
    }
    if (overflow)
        return DEJA_ELIMIT;
    *ret = v;
    return 0;
}

void deja_text_double(double v, char text[32])
{
    const char *sign = signbit(v) ? "-" : "";
    if (isnan(v)) {
        snprintf(text, TEXT_SIZE, "nan");
    } else if (isinf(v)) {
        snprintf(text, TEXT_SIZE, "%sinf", sign);
    } else if (v == 0) {
        snprintf(text, TEXT_SIZE, "%s0", sign);
    } else {
        v = fabs(v);
        decimal d = shortest(v);
        write_decimal(&d, v, sign, text);
    }
}

void deja_text_bytes(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t unit = 1;
    size_t i = 0;
    for (; bytes / unit >= 1000; i++)
        unit *= 1000;
    for (int places = i ? 2 : 0; places >= 0; places--) {
        uint64_t step = unit; /* what the last digit stands for */
        for (int k = 0; k < places; k++)
            step /= 10;
        uint64_t number = bytes / step + (step > 1 && bytes % step >= step - step / 2);
        if (number < 1000) {
            write_scaled(number, places, units[i], text);
            return;
        }
    }
    snprintf(text, TEXT_SIZE, "1 %s", units[i + 1]); /* 999.6 kB and more round up to the next unit */
}

void deja_text_duration(int64_t ns, char text[32])
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    uint64_t ms = (v + 500000) / 1000000, tenths = (v + 50000000) / 100000000,
             s = (v + 500000000) / 1000000000;
    if (ms == 0 && v >= 500)
        snprintf(text, TEXT_SIZE, "%llu us", (unsigned long long)((v + 500) / 1000));
    else if (ms < 1000)
        snprintf(text, TEXT_SIZE, "%llu ms", (unsigned long long)ms);
    else if (tenths < 600)
        snprintf(text, TEXT_SIZE, "%llu.%llu s", (unsigned long long)(tenths / 10),
                 (unsigned long long)(tenths % 10));
    else if (s < 3600)
        snprintf(text, TEXT_SIZE, "%llum %02llus", (unsigned long long)(s / 60),
                 (unsigned long long)(s % 60));
    else if (s < 86400)
        snprintf(text, TEXT_SIZE, "%lluh %02llum", (unsigned long long)(s / 3600),
                 (unsigned long long)(s / 60 % 60));
    else
        snprintf(text, TEXT_SIZE, "%llud %02lluh", (unsigned long long)(s / 86400),
                 (unsigned long long)(s / 3600 % 24));
}
