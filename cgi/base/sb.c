/* sb.c - the string builder. Grows by doubling up to its maximum; knows the
 * escapes of each place text can go to, so that no caller writes one itself. */
#include "base/sb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct sb sb_make(size_t max_bytes)
{
    struct sb b = {.max = max_bytes};
    return b;
}

void sb_done(struct sb *b)
{
    free(b->p);
    *b = sb_make(b->max);
}

void sb_drop(struct sb *b, size_t n)
{
    b->len -= n < b->len ? n : b->len;
    if (b->p)
        b->p[b->len] = '\0';
}

void sb_reset(struct sb *b)
{
    b->len = 0;
    b->failed = b->starved = false;
    if (b->p)
        b->p[0] = '\0';
}

bool sb_ok(const struct sb *b)
{
    return !b->failed;
}

/* Make room for n more bytes and a NUL. */
static bool sb_room(struct sb *b, size_t n)
{
    size_t want, cap;
    char *p;

    if (b->failed)
        return false;
    if (n > b->max || b->len > b->max - n) {
        b->failed = true;
        return false;
    }
    want = b->len + n + 1;
    if (want <= b->cap)
        return true;
    cap = b->cap ? b->cap : 128;
    while (cap < want)
        cap *= 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    p = realloc(b->p, cap);
    if (!p) {
        b->failed = b->starved = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

char *sb_take(struct sb *b)
{
    char *p;

    if (!sb_room(b, 0))
        return NULL;
    p = b->p;
    p[b->len] = '\0';
    b->p = NULL;
    b->len = b->cap = 0;
    return p;
}

const char *sb_str(const struct sb *b)
{
    return b->p ? b->p : "";
}

void sb_put(struct sb *b, const void *p, size_t n)
{
    if (!n || !sb_room(b, n))
        return;
    memcpy(b->p + b->len, p, n);
    b->len += n;
    b->p[b->len] = '\0';
}

void sb_putc(struct sb *b, char c)
{
    sb_put(b, &c, 1);
}

void sb_puts(struct sb *b, const char *s)
{
    if (s)
        sb_put(b, s, strlen(s));
}

void sb_vputf(struct sb *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0)
        b->failed = true;
    else if (sb_room(b, (size_t)n)) {
        (void)vsnprintf(b->p + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void sb_putf(struct sb *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    sb_vputf(b, fmt, ap);
    va_end(ap);
}

void sb_i64(struct sb *b, int64_t n)
{
    char tmp[24];
    char *end = tmp + sizeof tmp, *p = end;
    uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

    do
        *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (n < 0)
        *--p = '-';
    sb_put(b, p, (size_t)(end - p));
}

void sb_real(struct sb *b, double x)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%.15g", x);
    if (strtod(text, NULL) != x)
        (void)snprintf(text, sizeof text, "%.17g", x);
    sb_puts(b, text);
}

void sb_html(struct sb *b, const char *s, size_t n)
{
    size_t from = 0;

    for (size_t i = 0; i < n; i++) {
        const char *ref = NULL;

        switch (s[i]) {
        case '&': ref = "&amp;"; break;
        case '<': ref = "&lt;"; break;
        case '>': ref = "&gt;"; break;
        case '"': ref = "&quot;"; break;
        case '\'': ref = "&#39;"; break;
        default: continue;
        }
        sb_put(b, s + from, i - from);
        sb_puts(b, ref);
        from = i + 1;
    }
    sb_put(b, s + from, n - from);
}

void sb_attr(struct sb *b, const char *s)
{
    if (s)
        sb_html(b, s, strlen(s));
}

void sb_json_n(struct sb *b, const char *s, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *u = (const unsigned char *)s;
    size_t from = 0, i = 0;

    sb_putc(b, '"');
    while (i < n) {
        unsigned char c = u[i];
        size_t k = 1;
        char esc[8] = "";

        if (c == '"' || c == '\\') {
            esc[0] = '\\', esc[1] = (char)c, esc[2] = '\0';
        } else if (c == '\n') {
            memcpy(esc, "\\n", 3);
        } else if (c == '\r') {
            memcpy(esc, "\\r", 3);
        } else if (c == '\t') {
            memcpy(esc, "\\t", 3);
        } else if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x7f) {
            memcpy(esc, "\\u00", 4);
            esc[4] = hex[c >> 4], esc[5] = hex[c & 15], esc[6] = '\0';
        } else if (c >= 0x80) {
            k = utf8_len(s + i, n - i);
            if (!k) {
                k = 1;
                memcpy(esc, "\\ufffd", 7);
            } else if (k == 3 && c == 0xe2 && u[i + 1] == 0x80 && (u[i + 2] & 0xfe) == 0xa8) {
                memcpy(esc, u[i + 2] == 0xa8 ? "\\u2028" : "\\u2029", 7);
            }
        }
        if (esc[0]) {
            sb_put(b, s + from, i - from);
            sb_puts(b, esc);
            from = i + k;
        }
        i += k;
    }
    if (n > from)
        sb_put(b, s + from, n - from);       /* nothing may also be at NULL */
    sb_putc(b, '"');
}

void sb_json(struct sb *b, const char *s)
{
    if (s)
        sb_json_n(b, s, strlen(s));
    else
        sb_puts(b, "null");
}

void sb_url(struct sb *b, const char *s)
{
    for (; s && *s; s++) {
        unsigned char c = (unsigned char)*s;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~')
            sb_putc(b, (char)c);
        else
            sb_putf(b, "%%%02X", c);
    }
}

void sb_usd(struct sb *b, int64_t pico)
{
    uint64_t u = pico < 0 ? 0 - (uint64_t)pico : (uint64_t)pico;
    uint64_t whole = u / 1000000000000U, part = u % 1000000000000U;
    char digits[12];
    int n = 12;

    if (pico < 0)
        sb_putc(b, '-');
    sb_i64(b, (int64_t)whole);
    if (!part)
        return;
    for (int i = n - 1; i >= 0; i--, part /= 10)
        digits[i] = (char)('0' + part % 10);
    while (digits[n - 1] == '0')
        n--;
    sb_putc(b, '.');
    sb_put(b, digits, (size_t)n);
}

/* n digits of v, with zeros before; gives where they end. */
static char *put_digits(char *to, int64_t v, int n)
{
    for (int i = n - 1; i >= 0; i--, v /= 10)
        to[i] = (char)('0' + v % 10);
    return to + n;
}

/* Years begin in March here, so that a leap day is the last of its year; 719,468 days lie between 0000-03-01 and 1970. */
void sb_time(struct sb *b, int64_t utc_ms)
{
    int64_t day = utc_ms / 86400000 - (utc_ms % 86400000 < 0), ms = utc_ms - day * 86400000;
    int64_t days = day + 719468, era = days / 146097, of_era = days % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    char text[24], *to = text;

    if (days < 0 || era > 24) {
        b->failed = true;
        return;
    }
    to = put_digits(to, era * 400 + year + (month >= 10), 4);
    *to++ = '-';
    to = put_digits(to, month < 10 ? month + 3 : month - 9, 2);
    *to++ = '-';
    to = put_digits(to, of_year - (153 * month + 2) / 5 + 1, 2);
    *to++ = 'T';
    to = put_digits(to, ms / 3600000, 2);
    *to++ = ':';
    to = put_digits(to, ms / 60000 % 60, 2);
    *to++ = ':';
    to = put_digits(to, ms / 1000 % 60, 2);
    *to++ = '.';
    to = put_digits(to, ms % 1000, 3);
    *to++ = 'Z';
    sb_put(b, text, (size_t)(to - text));
}
