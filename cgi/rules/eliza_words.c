/* eliza_words.c - from bytes to clauses, and from a clause to the parts of a
 * pattern. What is no letter, digit, apostrophe or hyphen never becomes a word. */
#include "rules/eliza_words.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"

static bool equal(const char *a, const char *b, size_t n)
{
    return strlen(a) == n && !memcmp(a, b, n);
}

bool eliza_in_list(const char *list, char gap, const char *word, size_t n)
{
    const char set[2] = {gap, '\0'};

    for (size_t k; *list; list += k + (list[k] == gap)) {
        k = strcspn(list, set);
        if (k == n && !memcmp(list, word, n))
            return true;
    }
    return false;
}

const char *eliza_pair_find(const struct eliza_pair *pairs, size_t count, const char *word, size_t n)
{
    for (size_t i = 0; i < count; i++)
        if (equal(pairs[i].from, word, n))
            return pairs[i].to;
    return NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_alnum(char c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

/* Letters of other alphabets: not punctuation, symbols, joiners or emoji. */
static bool is_letter(uint32_t c)
{
    return c >= 0xc0 && c < 0xd7b0 && c != 0xd7 && c != 0xf7 && c != 0x61c && (c < 0x2000 || c >= 0x2c00) &&
           (c < 0x3000 || c >= 0x3041);
}

/* Bytes of the word character at s, 0 if it is none; *mark is set for an apostrophe or hyphen. */
static size_t word_char(const char *s, size_t n, bool *mark)
{
    size_t k;

    *mark = *s == '\'' || *s == '-';
    if (is_alnum(*s) || *mark)
        return 1;
    if ((unsigned char)*s < 0x80)
        return 0;
    k = utf8_len(s, n);
    if (k == 3 && !memcmp(s, "\u2019", 3)) {
        *mark = true;
        return 3;
    }
    return k && is_letter(utf8_decode(s, k)) ? k : 0;
}

/* The word at s, if one begins there: its bytes, and its text (with ' for ’) in
 * `out`, "that" if it is too long. Marks at its ends are not part of it. */
static size_t read_word(const char *s, size_t n, char out[ELIZA_WORD_SIZE])
{
    size_t used = 0, len = 0, kept = 0;

    for (;;) {
        bool mark;
        size_t k = used < n ? word_char(s + used, n - used, &mark) : 0;

        if (!k || (mark && !len))
            break;
        if (len + k < ELIZA_WORD_SIZE) {
            memcpy(out + len, k == 3 && mark ? "'" : s + used, k == 3 && mark ? 1 : k);
            len += k == 3 && mark ? 1 : k;
        } else {
            len = ELIZA_WORD_SIZE;
        }
        used += k;
        if (!mark)
            kept = len;
    }
    if (kept >= ELIZA_WORD_SIZE || len >= ELIZA_WORD_SIZE) {
        memcpy(out, "that", 5);
        return used;
    }
    out[kept] = '\0';
    return used;
}

static void clause_add(struct eliza_clause *c, const char *text, size_t n)
{
    struct eliza_word *w = &c->w[c->n];

    if (c->n == ELIZA_CLAUSE_WORDS || !n)
        return;
    for (size_t i = 0; i < n; i++)
        w->low[i] = lower(text[i]);
    memcpy(w->text, text, n);
    w->low[n] = w->text[n] = '\0';
    c->n++;
}

/* Add a word, or the words that stand for it. */
static void clause_add_word(struct eliza_clause *c, const char *text)
{
    char low[ELIZA_WORD_SIZE];
    size_t n = strlen(text);
    const char *to;

    for (size_t i = 0; i <= n; i++)
        low[i] = lower(text[i]);
    to = eliza_pair_find(eliza_before, eliza_before_count, low, n);
    if (!to) {
        clause_add(c, text, n);
        return;
    }
    for (size_t k; *to; to += k + (to[k] == ' ')) {
        k = strcspn(to, " ");
        clause_add(c, to, k);
    }
}

/* Somebody's shouting, and the capital a sentence begins with, are not repeated. */
static void clause_settle_case(struct eliza_clause *c)
{
    bool any_lower = false;

    for (int i = 0; i < c->n; i++)
        for (const char *s = c->w[i].text; *s; s++)
            any_lower |= *s >= 'a' && *s <= 'z';
    for (int i = 0; i < c->n; i++)
        if (!i || !any_lower)
            memcpy(c->w[i].text, c->w[i].low, ELIZA_WORD_SIZE);
}

bool eliza_next_clause(const char *text, size_t n, size_t *at, struct eliza_clause *c)
{
    c->n = 0;
    while (*at < n) {
        char word[ELIZA_WORD_SIZE] = "";
        size_t k = read_word(text + *at, n - *at, word);

        if (!k) {
            char end = text[(*at)++];

            if (c->n && end && strchr(".,;:!?\n\r()\"", end))
                break;
            continue;
        }
        *at += k;
        if (!strcasecmp(word, "but") && c->n)
            break;
        clause_add_word(c, word);
    }
    clause_settle_case(c);
    return c->n > 0;
}

struct eliza_look eliza_look_at(const char *text, size_t n)
{
    struct eliza_look look = {0};
    bool in_word = false;

    for (size_t i = 0; i < n;) {
        bool mark;
        size_t k = word_char(text + i, n - i, &mark);

        look.words += k && !mark && !in_word;
        look.ascii += is_alnum(text[i]);
        look.other += k > 1 && !mark;
        look.signs += text[i] && strchr("{}<>;=[]|$#\\`", text[i]);
        in_word = k > 0;
        i += k ? k : 1;
    }
    return look;
}

static bool class_has(const char *name, size_t n, const char *word)
{
    const char *list = eliza_pair_find(eliza_classes, eliza_class_count, name, n);

    return list && eliza_in_list(list, ' ', word, strlen(word));
}

static bool part_takes(const char *part, size_t n, const char *word)
{
    char alternatives[128];

    if (*part == '_')
        return true;
    if (*part == '@')
        return class_has(part + 1, n - 1, word);
    if (n >= sizeof alternatives)
        return false;
    memcpy(alternatives, part, n);
    alternatives[n] = '\0';
    return eliza_in_list(alternatives, '/', word, strlen(word));
}

/* Match the rest of a pattern against the words from `i` on. */
static bool match(const char *pattern, const struct eliza_clause *c, int i, struct eliza_parts *p)
{
    size_t n = strcspn(pattern, " ");
    const char *rest = pattern + n + (pattern[n] == ' ');
    int part = p->n, last;

    if (!n)
        return i == c->n;
    if (part == ELIZA_PARTS)
        return false;
    if (*pattern == '*') {
        last = c->n;
    } else {
        if (i == c->n || !part_takes(pattern, n, c->w[i].low))
            return false;
        last = ++i;
    }
    for (int to = i; to <= last; to++) {
        p->from[part] = *pattern == '*' ? i : i - 1;
        p->to[part] = to;
        p->n = part + 1;
        if (match(rest, c, to, p))
            return true;
    }
    p->n = part;
    return false;
}

bool eliza_match(const char *pattern, const struct eliza_clause *c, struct eliza_parts *p)
{
    p->n = 0;
    return match(pattern, c, 0, p);
}
