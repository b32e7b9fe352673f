/* tokens_guess.c - tokens by classes of characters, for when there are no ranks.
 * The weights were fitted to o200k_base over prose, code, data and twelve
 * languages; in thousandths of a token. */
#include <string.h>

#include "base/utf8.h"
#include "rules/tokens.h"

enum weight {
    WORD = 960,           /* the beginning of an ASCII word, also within camelCase */
    LONG_LETTER = 235,    /* each letter of it after the sixth */
    DIGIT = 735,
    NEWLINES = 1410,      /* a run of line breaks */
    EXTRA_BLANK = 105,    /* each further blank of a run */
    PUNCTUATION = 443,    /* unless it repeats the character before */
    HAN_HANGUL = 860,
    KANA = 760,
    LATIN_ACCENT = 1710,
    OTHER = 300,
    DENSE = 690           /* a byte within base64 or hexadecimal: 1.45 bytes a token */
};

enum { DENSE_RUN = 64, SHORT_WORD = 6 };

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of the run of base64's digits at s, and whether it mixes letters with digits. */
static size_t dense_run(const char *s, size_t n, bool *mixed)
{
    bool letters = false, digits = false;
    size_t i = 0;

    for (; i < n && (is_letter(s[i]) || is_digit(s[i]) || s[i] == '+' || s[i] == '/'); i++) {
        letters |= is_letter(s[i]);
        digits |= is_digit(s[i]);
    }
    *mixed = letters && digits;
    return i;
}

/* One ASCII word from s: its weight, and its length in *used. */
static int64_t word(const char *s, size_t n, size_t *used)
{
    size_t i = 1;

    while (i < n && is_letter(s[i]) && !(is_lower(s[i - 1]) && !is_lower(s[i])))
        i++;
    *used = i;
    return WORD + (i > SHORT_WORD ? (int64_t)(i - SHORT_WORD) * LONG_LETTER : 0);
}

static int64_t wide(const char *s, size_t n, size_t *used)
{
    size_t k = utf8_len(s, n);
    uint32_t c;

    *used = k ? k : utf8_bad_len(s, n);
    if (!k)
        return OTHER;
    c = utf8_decode(s, k);
    if (c < 0x250)
        return LATIN_ACCENT;
    if (c >= 0x3040 && c < 0x3100)
        return KANA;
    if ((c >= 0x3400 && c < 0xa000) || (c >= 0xac00 && c < 0xd7b0) || (c >= 0x20000 && c < 0x32000))
        return HAN_HANGUL;
    return OTHER;
}

/* A run of blanks or of line breaks. */
static int64_t space(const char *s, size_t n, size_t *used)
{
    const char *set = *s == '\n' || *s == '\r' ? "\r\n" : " \t";
    size_t i = 1;

    while (i < n && s[i] && strchr(set, s[i]))
        i++;
    *used = i;
    return *set == '\r' ? NEWLINES : (int64_t)(i - 1) * EXTRA_BLANK;
}

int64_t tokens_guess(const char *text, size_t n)
{
    int64_t sum = 0;
    size_t looked = 0;        /* for dense runs, as far as here */

    for (size_t i = 0, used; i < n; i += used) {
        const char *s = text + i;

        used = 1;
        if (i >= looked && (is_letter(*s) || is_digit(*s))) {
            bool mixed;
            size_t run = dense_run(s, n - i, &mixed);

            looked = i + run;
            if (run >= DENSE_RUN && mixed) {
                sum += (int64_t)run * DENSE;
                used = run;
                continue;
            }
        }
        if (is_letter(*s))
            sum += word(s, n - i, &used);
        else if (is_digit(*s))
            sum += DIGIT;
        else if ((unsigned char)*s >= 0x80)
            sum += wide(s, n - i, &used);
        else if (*s == ' ' || (*s >= '\t' && *s <= '\r'))
            sum += space(s, n - i, &used);
        else if (!i || s[-1] != *s)
            sum += PUNCTUATION;
    }
    return (sum + 999) / 1000;
}
