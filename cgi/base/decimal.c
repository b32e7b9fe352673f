/* decimal.c - digits, a point, an exponent. */
#include "base/decimal.h"

enum { MOST_EXPONENT = 999 };

/* Digits from *i on; false: there is none. Those for which there is no room any more are only counted. */
static bool take_digits(const char *p, size_t n, size_t *i, bool behind_point, unsigned __int128 *v, int *power)
{
    size_t from = *i;

    for (; *i < n && p[*i] >= '0' && p[*i] <= '9'; ++*i) {
        bool room = *v < (unsigned __int128)INT64_MAX * 1000000000;

        if (room)
            *v = *v * 10 + (unsigned)(p[*i] - '0');
        *power += room ? -behind_point : !behind_point;
    }
    return *i > from;
}

static bool take_exponent(const char *p, size_t n, size_t *i, int *power)
{
    bool negative;
    size_t from;
    int exponent = 0;

    if (*i == n || (p[*i] != 'e' && p[*i] != 'E'))
        return true;
    ++*i;
    negative = *i < n && p[*i] == '-';
    *i += *i < n && (p[*i] == '-' || p[*i] == '+');
    for (from = *i; *i < n && p[*i] >= '0' && p[*i] <= '9'; ++*i)
        if (exponent < MOST_EXPONENT)
            exponent = exponent * 10 + (p[*i] - '0');
    *power += negative ? -exponent : exponent;
    return *i > from;
}

bool decimal_scaled(const char *p, size_t n, int power, int64_t most, int64_t *out)
{
    unsigned __int128 v = 0;
    size_t i = 0;
    bool number = take_digits(p, n, &i, false, &v, &power);

    if (i < n && p[i] == '.') {
        i++;
        number = take_digits(p, n, &i, true, &v, &power) || number;
    }
    if (!number || !take_exponent(p, n, &i, &power) || i != n)
        return false;
    for (; power > 0 && v > 0; power--) {
        v *= 10;
        if (v > (unsigned __int128)most)
            return false;
    }
    for (; power < -1 && v > 0; power++)
        v /= 10;
    if (power == -1)
        v = (v + 5) / 10;
    if (v > (unsigned __int128)most)
        return false;
    *out = (int64_t)v;
    return true;
}
