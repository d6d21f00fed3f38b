#include "base/clock.h"

#include <stdbool.h>

#include "base/err.h"

/* Exactly n digits; moves *s on. */
static bool take_digits(const char **s, int n, int *out)
{
    int v = 0;
    for (int i = 0; i < n; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return false;
        v = v * 10 + (**s - '0');
    }
    *out = v;
    return true;
}

static bool take_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

static bool take_fraction(const char **s, int *out_us)
{
    *out_us = 0;
    if (!take_char(s, '.') && !take_char(s, ','))
        return true;
    int n = 0;
    for (; **s >= '0' && **s <= '9'; (*s)++, n++) {
        if (n < 6)
            *out_us = *out_us * 10 + (**s - '0');
    }
    for (int i = n; i < 6; i++)
        *out_us *= 10;
    return n > 0;
}

/* "Z", "+08:00"; a query string may have turned the plus sign into a blank. */
static bool take_offset(const char **s, int *out_minutes)
{
    *out_minutes = 0;
    if (take_char(s, 'Z') || take_char(s, 'z'))
        return true;
    int sign = **s == '-' ? -1 : **s == '+' || **s == ' ' ? 1 : 0;
    if (!sign)
        return false;
    (*s)++;
    int hour = 0;
    int minute = 0;
    if (!take_digits(s, 2, &hour))
        return false;
    take_char(s, ':');
    if (!take_digits(s, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *out_minutes = sign * (hour * 60 + minute);
    return true;
}

int rfc3339_parse(const char *s, int64_t *out_wall_us)
{
    struct civil c = {0};
    int offset = 0;
    bool is_ok = take_digits(&s, 4, &c.year) && take_char(&s, '-') &&
                 take_digits(&s, 2, &c.month) && take_char(&s, '-') && take_digits(&s, 2, &c.day) &&
                 (take_char(&s, 'T') || take_char(&s, 't') || take_char(&s, ' ')) &&
                 take_digits(&s, 2, &c.hour) && take_char(&s, ':') &&
                 take_digits(&s, 2, &c.minute) && take_char(&s, ':') &&
                 take_digits(&s, 2, &c.second) && take_fraction(&s, &c.us) &&
                 take_offset(&s, &offset) && *s == 0;
    if (!is_ok || c.month < 1 || c.month > 12 || c.day < 1 ||
        c.day > days_in_month(c.year, c.month) || c.hour > 23 || c.minute > 59 || c.second > 60)
        return ERR_PARSE;
    *out_wall_us = civil_to_us(&c) - (int64_t)offset * 60 * US_PER_S;
    return 0;
}
