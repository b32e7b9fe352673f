/* scan.c - the JSON grammar of RFC 8259, walked and not stored. */
#include "peer/scan.h"

#include <string.h>

#include "base/decimal.h"
#include "base/utf8.h"

enum { DEPTH_MAX = 64, ESCAPED_MAX = 6 };

struct scan scan_make(const char *text, size_t n)
{
    return (struct scan){.p = text, .end = text + n};
}

static bool fail(struct scan *s)
{
    s->bad = true;
    s->p = s->end;
    return false;
}

static void space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

char scan_peek(struct scan *s)
{
    space(s);
    return s->p < s->end ? *s->p : '\0';
}

bool scan_ok(struct scan *s)
{
    space(s);
    return !s->bad && s->depth == 0 && s->p == s->end;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int hex4(const char *p)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        int d = hex_value(p[i]);

        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

/* Bytes of the escape at p (a backslash); 0 if it is none. */
static size_t escape_len(const char *p, size_t left)
{
    if (left < 2)
        return 0;
    if (p[1] == 'u')
        return left >= ESCAPED_MAX && hex4(p + 2) >= 0 ? ESCAPED_MAX : 0;
    return strchr("\"\\/bfnrt", p[1]) && p[1] ? 2 : 0;
}

/* A string at the cursor, which stands on its quote. */
static bool take_string(struct scan *s, struct span *out)
{
    const char *from = ++s->p, *p = from, *end = s->end;

    for (; p < end;) {
        unsigned char c = (unsigned char)*p;
        size_t n = 1;

        if (c == '"') {
            *out = (struct span){from, (size_t)(p - from)};
            s->p = p + 1;
            return true;
        }
        if (c == '\\')
            n = escape_len(p, (size_t)(end - p));
        else if (c >= 0x80)
            n = utf8_len(p, (size_t)(end - p));
        else if (c < 0x20)
            n = 0;
        if (n == 0)
            break;
        p += n;
    }
    return fail(s);
}

static bool digits(struct scan *s)
{
    const char *from = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > from;
}

/* A number at the cursor. *whole: it has neither fraction nor exponent. */
static bool take_number(struct scan *s, struct span *out, bool *whole)
{
    const char *from = s->p;

    *whole = true;
    if (*s->p == '-')
        s->p++;
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (!digits(s))
        return fail(s);
    if (s->p < s->end && *s->p == '.') {
        *whole = false;
        s->p++;
        if (!digits(s))
            return fail(s);
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        *whole = false;
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        if (!digits(s))
            return fail(s);
    }
    *out = (struct span){from, (size_t)(s->p - from)};
    return true;
}

static bool take_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return fail(s);
    s->p += n;
    return true;
}

static bool enter(struct scan *s)
{
    if (s->depth == DEPTH_MAX)
        return fail(s);
    s->p++;
    s->depth++;
    s->first = true;
    return true;
}

/* Stand on the next item of a container, or leave it over `close`: false. */
static bool next_item(struct scan *s, char close)
{
    char c = scan_peek(s);

    if (s->bad)
        return false;
    if (c == close) {
        s->p++;
        s->depth--;
        s->first = false;
        return false;
    }
    if (!s->first) {
        if (c != ',')
            return fail(s);
        s->p++;
        space(s);
    }
    s->first = false;
    return s->p < s->end || fail(s);
}

bool scan_member(struct scan *s, struct span *name)
{
    if (!next_item(s, '}'))
        return false;
    if (*s->p != '"')
        return fail(s);
    if (!take_string(s, name))
        return false;
    if (scan_peek(s) != ':')
        return fail(s);
    s->p++;
    return true;
}

bool scan_element(struct scan *s)
{
    return next_item(s, ']');
}

/* One value, whatever it is. Containers nest by recursion, at most DEPTH_MAX deep. */
void scan_skip(struct scan *s)
{
    struct span ignored;
    bool whole;

    switch (scan_peek(s)) {
    case '{':
        if (enter(s))
            while (scan_member(s, &ignored))
                scan_skip(s);
        break;
    case '[':
        if (enter(s))
            while (scan_element(s))
                scan_skip(s);
        break;
    case '"':
        take_string(s, &ignored);
        break;
    case 't':
        take_word(s, "true");
        break;
    case 'f':
        take_word(s, "false");
        break;
    case 'n':
        take_word(s, "null");
        break;
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        take_number(s, &ignored, &whole);
        break;
    default:
        fail(s);
    }
}

bool scan_object(struct scan *s)
{
    if (scan_peek(s) == '{')
        return enter(s);
    scan_skip(s);
    return false;
}

bool scan_array(struct scan *s)
{
    if (scan_peek(s) == '[')
        return enter(s);
    scan_skip(s);
    return false;
}

bool scan_string(struct scan *s, struct span *out)
{
    if (scan_peek(s) == '"')
        return take_string(s, out);
    scan_skip(s);
    return false;
}

bool scan_int(struct scan *s, int64_t *out)
{
    char c = scan_peek(s);
    struct span number;
    bool whole, negative = c == '-';
    int64_t v = 0;

    if (!negative && (c < '0' || c > '9')) {
        scan_skip(s);
        return false;
    }
    if (!take_number(s, &number, &whole) || !whole)
        return false;
    for (size_t i = negative; i < number.n; i++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, number.p[i] - '0', &v))
            return false;
    *out = negative ? -v : v;
    return true;
}

bool scan_dollars(struct scan *s, int64_t *pico)
{
    char c = scan_peek(s);
    struct span number;
    bool whole;

    if (c != '-' && (c < '0' || c > '9')) {
        scan_skip(s);
        return false;
    }
    return take_number(s, &number, &whole) && decimal_scaled(number.p, number.n, 12, INT64_C(1000000000000000000), pico);
}

bool span_is(struct span s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static size_t utf8_put(char *out, unsigned long cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

/* The code point of the \u escape at p and, if it begins a pair, of both; *used: bytes of text. Half a pair is U+FFFD,
 * and so is NUL, at which others would take the text for ended. */
static unsigned long unicode_escape(const char *p, size_t left, size_t *used)
{
    int high = hex4(p + 2), low;

    *used = ESCAPED_MAX;
    if (high > 0 && (high < 0xd800 || high > 0xdfff))
        return (unsigned long)high;
    if (high <= 0xdbff && left >= 2 * ESCAPED_MAX && p[6] == '\\' && p[7] == 'u') {
        low = hex4(p + 8);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *used = 2 * ESCAPED_MAX;
            return 0x10000 + ((unsigned long)(high - 0xd800) << 10) + (unsigned long)(low - 0xdc00);
        }
    }
    return 0xfffd;
}

size_t span_decode(struct span s, char *out)
{
    static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
    const char *p = s.p, *end = s.p + s.n;
    char *to = out;

    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash ? slash : end) - p), used = 2;
        const char *named;

        memmove(to, p, plain);
        to += plain;
        p += plain;
        if (!slash)
            break;
        if (p[1] == 'u') {
            unsigned long cp = unicode_escape(p, (size_t)(end - p), &used);

            to += utf8_put(to, cp);
        } else {
            named = strchr(names, p[1]);
            *to++ = named ? values[named - names] : p[1];
        }
        p += used;
    }
    return (size_t)(to - out);
}

void span_copy(struct span s, char *out, size_t size)
{
    size_t n = 0;

    while (s.n > 0) {
        bool escape = s.p[0] == '\\';
        size_t part = escape ? escape_len(s.p, s.n) : utf8_len(s.p, s.n);
        char one[4];

        if (escape && part == ESCAPED_MAX)
            (void)unicode_escape(s.p, s.n, &part);
        if (part == 0)
            break;
        size_t wide = span_decode((struct span){s.p, part}, one);
        if (n + wide >= size)
            break;
        memcpy(out + n, one, wide);
        n += wide;
        s.p += part;
        s.n -= part;
    }
    out[n] = '\0';
}
