/* eliza.c - reads a text clause by clause, takes up the one with the key of
 * highest rank, takes it apart and puts it together again. Everything has a
 * fixed size: a clause its words, a word its bytes, a pattern its parts. */
#include "rules/eliza.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "rules/eliza_script.h"

enum {
    WORD_SIZE = 28,          /* longer words are not said back */
    CLAUSE_WORDS = 48,
    PARTS_MAX = 10,
    ECHO_WORDS = 20,         /* no more of a person's words in one reply */
    TEXT_MAX = 8192,         /* of a longer text the end is heard */
    LONG_WORDS = 150,
    JUMPS_MAX = 4
};

struct word {
    char low[WORD_SIZE];     /* for looking up */
    char text[WORD_SIZE];    /* for saying back */
};

struct clause {
    struct word w[CLAUSE_WORDS];
    int n;
};

/* What each part of a pattern took: words from … to-1. */
struct parts {
    int from[PARTS_MAX], to[PARTS_MAX];
    int n;
};

/* What a whole text looks like. */
struct look {
    int words, ascii, other, signs;
};

/* ---- words ---- */

static bool equal(const char *a, const char *b, size_t n)
{
    return strlen(a) == n && !memcmp(a, b, n);
}

/* Is `word` among the words of `list`, which `gap` separates? */
static bool in_list(const char *list, char gap, const char *word, size_t n)
{
    const char set[2] = {gap, '\0'};

    for (size_t k; *list; list += k + (list[k] == gap)) {
        k = strcspn(list, set);
        if (k == n && !memcmp(list, word, n))
            return true;
    }
    return false;
}

static const char *pair_find(const struct eliza_pair *pairs, size_t count, const char *word, size_t n)
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
    return c >= 0xc0 && c != 0xd7 && c != 0xf7 && c != 0x61c && (c < 0x2000 || c >= 0x2c00) && (c < 0x3000 || c >= 0x3041) &&
           c < 0xd7b0;
}

static uint32_t decode(const char *s, size_t k)
{
    uint32_t c = (unsigned char)s[0] & (0xffU >> (k + 1));

    for (size_t i = 1; i < k; i++)
        c = c << 6 | ((unsigned char)s[i] & 63);
    return c;
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
    return k && is_letter(decode(s, k)) ? k : 0;
}

/* The word at s, if one begins there: its bytes, and its text (with ' for ’) in
 * `out`, "that" if it is too long. Marks at its ends are not part of it. */
static size_t read_word(const char *s, size_t n, char out[WORD_SIZE])
{
    size_t used = 0, len = 0, kept = 0;

    for (;;) {
        bool mark;
        size_t k = used < n ? word_char(s + used, n - used, &mark) : 0;

        if (!k || (mark && !len))
            break;
        if (len + k < WORD_SIZE) {
            memcpy(out + len, k == 3 && mark ? "'" : s + used, k == 3 && mark ? 1 : k);
            len += k == 3 && mark ? 1 : k;
        } else {
            len = WORD_SIZE;
        }
        used += k;
        if (!mark)
            kept = len;
    }
    if (kept >= WORD_SIZE || len >= WORD_SIZE) {
        memcpy(out, "that", 5);
        return used;
    }
    out[kept] = '\0';
    return used;
}

static void clause_add(struct clause *c, const char *text, size_t n)
{
    struct word *w = &c->w[c->n];

    if (c->n == CLAUSE_WORDS || !n)
        return;
    for (size_t i = 0; i < n; i++)
        w->low[i] = lower(text[i]);
    memcpy(w->text, text, n);
    w->low[n] = w->text[n] = '\0';
    c->n++;
}

/* Add a word, or the words that stand for it. */
static void clause_add_word(struct clause *c, const char *text)
{
    char low[WORD_SIZE];
    size_t n = strlen(text);
    const char *to;

    for (size_t i = 0; i <= n; i++)
        low[i] = lower(text[i]);
    to = pair_find(eliza_before, eliza_before_count, low, n);
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
static void clause_settle_case(struct clause *c)
{
    bool any_lower = false;

    for (int i = 0; i < c->n; i++)
        for (const char *s = c->w[i].text; *s; s++)
            any_lower |= *s >= 'a' && *s <= 'z';
    for (int i = 0; i < c->n; i++)
        if (!i || !any_lower)
            memcpy(c->w[i].text, c->w[i].low, WORD_SIZE);
}

/* Read the next clause at *at; false at the end of the text. */
static bool next_clause(const char *text, size_t n, size_t *at, struct clause *c)
{
    c->n = 0;
    while (*at < n) {
        char word[WORD_SIZE] = "";
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

/* ---- patterns ---- */

static bool class_has(const char *name, size_t n, const char *word)
{
    const char *list = pair_find(eliza_classes, eliza_class_count, name, n);

    return list && in_list(list, ' ', word, strlen(word));
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
    return in_list(alternatives, '/', word, strlen(word));
}

/* Match the rest of a pattern against the words from `i` on. */
static bool match(const char *pattern, const struct clause *c, int i, struct parts *p)
{
    size_t n = strcspn(pattern, " ");
    const char *rest = pattern + n + (pattern[n] == ' ');
    int part = p->n, last;

    if (!n)
        return i == c->n;
    if (part == PARTS_MAX)
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

/* ---- saying it back ---- */

/* The word at `i` with persons exchanged; its neighbours decide about "you" and "to be". */
static const char *turned(const struct clause *c, int i, int to)
{
    const char *low = c->w[i].low, *before = i ? c->w[i - 1].low : "";
    const char *swap = pair_find(eliza_after, eliza_after_count, low, strlen(low));

    if (swap)
        return swap;
    if (!strcmp(low, "you"))
        return i + 1 == to ? "me" : "I";
    if (!strcmp(low, "are") && !strcmp(before, "you"))
        return "am";
    if (!strcmp(low, "was") && !strcmp(before, "i"))
        return "were";
    if (!strcmp(low, "were") && !strcmp(before, "you"))
        return "was";
    return c->w[i].text;
}

static void put_words(struct sb *out, const struct clause *c, int from, int to)
{
    for (int i = from; i < to; i++) {
        if (i > from)
            sb_putc(out, ' ');
        sb_puts(out, turned(c, i, to));
    }
}

/* Can this reply be given, with parts that are neither empty nor too long? */
static bool reply_fits(const char *reply, const struct parts *p)
{
    int words = 0;

    for (const char *s = strchr(reply, '$'); s; s = strchr(s + 1, '$')) {
        int part = s[1] - '1', took = part < p->n ? p->to[part] - p->from[part] : 0;

        words += took;
        if (!took || words > ECHO_WORDS)
            return false;
    }
    return true;
}

static void put_reply(struct sb *out, const char *reply, const struct clause *c, const struct parts *p)
{
    for (const char *s = reply; *s; s++) {
        if (*s == '$') {
            s++;
            put_words(out, c, p->from[*s - '1'], p->to[*s - '1']);
        } else {
            sb_putc(out, *s);
        }
    }
}

/* The row's next reply that fits; NULL if none does. */
static const char *next_reply(struct eliza *e, size_t row, const struct parts *p)
{
    const char *const *reply = eliza_rows[row].reply;
    uint8_t count = 0;

    while (count < ELIZA_REPLIES && reply[count])
        count++;
    for (uint8_t tries = 0; tries < count; tries++) {
        uint8_t i = (uint8_t)((e->next[row] + tries) % count);

        if (!reply_fits(reply[i], p))
            continue;
        e->next[row] = (uint8_t)((i + 1) % count);
        return reply[i];
    }
    return NULL;
}

/* ---- keys ---- */

static size_t key_hash(const char *word, size_t n)
{
    uint32_t h = 2166136261U;                            /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)word[i]) * 16777619U;
    return (h ^ h >> 15) % ELIZA_SLOTS;
}

/* Enter every key word of the script; of equal ones the first is found. */
static void index_keys(struct eliza *e)
{
    for (size_t row = 0; row < eliza_row_count; row++) {
        const char *keys = eliza_rows[row].keys;

        for (size_t k; keys && *keys; keys += k + (keys[k] == ' ')) {
            size_t i;

            k = strcspn(keys, " ");
            i = key_hash(keys, k);
            while (e->key[i])
                i = (i + 1) % ELIZA_SLOTS;
            e->key[i] = (uint8_t)(row + 1);
        }
    }
    e->indexed = true;
}

/* The row that begins the key `word`; eliza_row_count if there is none. */
static size_t key_row(const struct eliza *e, const char *word)
{
    size_t n = strlen(word), i = key_hash(word, n);

    for (; e->key[i]; i = (i + 1) % ELIZA_SLOTS)
        if (in_list(eliza_rows[e->key[i] - 1].keys, ' ', word, n))
            return (size_t)e->key[i] - 1;
    return eliza_row_count;
}

/* Answer by the key at `row`; false if it has nothing to say about this clause. */
static bool answer_by_key(struct eliza *e, size_t row, const struct clause *c, struct sb *out)
{
    int jumps = 0;

    for (bool first = true; row < eliza_row_count && (first || !eliza_rows[row].keys); row++) {
        struct parts p = {.n = 0};
        const char *reply;

        first = false;
        if (!match(eliza_rows[row].pattern, c, 0, &p))
            continue;
        reply = next_reply(e, row, &p);
        if (!reply)
            continue;
        if (*reply == '+' || (*reply == '=' && ++jumps > JUMPS_MAX))
            return false;
        if (*reply != '=') {
            put_reply(out, reply, c, &p);
            return true;
        }
        row = key_row(e, reply + 1) - 1;
        first = true;
    }
    return false;
}

/* Of the keys in `c` that rank below (`rank`, `place`) in order of rank, then
 * place, the highest: its row, or eliza_row_count. */
static size_t next_key(const struct eliza *e, const struct clause *c, int *rank, int *place)
{
    size_t best = eliza_row_count;
    int best_rank = -1, best_place = 0;

    for (int i = 0; i < c->n; i++) {
        size_t row = key_row(e, c->w[i].low);
        int r = row < eliza_row_count ? eliza_rows[row].rank : -1;

        if (r > best_rank && (r < *rank || (r == *rank && i > *place))) {
            best = row;
            best_rank = r;
            best_place = i;
        }
    }
    *rank = best_rank;
    *place = best_place;
    return best;
}

static bool answer_by_keys(struct eliza *e, const struct clause *c, struct sb *out)
{
    int rank = 1000, place = -1;
    size_t row;

    while ((row = next_key(e, c, &rank, &place)) < eliza_row_count)
        if (answer_by_key(e, row, c, out))
            return true;
    return false;
}

static void answer_situation(struct eliza *e, const char *key, struct sb *out)
{
    static const struct clause nothing = {.n = 0};

    (void)answer_by_key(e, key_row(e, key), &nothing, out);
}

/* ---- memory ---- */

/* Keep what follows "my", for a moment when there is nothing to say. */
static void remember(struct eliza *e, const struct clause *c)
{
    struct sb text = sb_make(ELIZA_MEMORY_SIZE - 1);
    struct parts p = {.n = 0};
    int to;

    if (!match("* my *", c, 0, &p) || p.from[2] == p.to[2])
        return;
    to = p.to[2] - p.from[2] > ECHO_WORDS / 2 ? p.from[2] + ECHO_WORDS / 2 : p.to[2];
    put_words(&text, c, p.from[2], to);
    if (sb_ok(&text)) {
        if (e->memories == ELIZA_MEMORIES) {
            memmove(e->memory[0], e->memory[1], sizeof e->memory - sizeof e->memory[0]);
            e->memories--;
        }
        memcpy(e->memory[e->memories++], sb_str(&text), text.len + 1);
    }
    sb_done(&text);
}

static bool recall(struct eliza *e, struct sb *out)
{
    struct parts one = {.from = {0}, .to = {1}, .n = 1};
    const char *reply, *here;

    if (!e->memories)
        return false;
    reply = next_reply(e, key_row(e, "(memory)"), &one);
    here = strstr(reply, "$1");
    sb_put(out, reply, (size_t)(here - reply));
    sb_puts(out, e->memory[0]);
    sb_puts(out, here + 2);
    memmove(e->memory[0], e->memory[1], sizeof e->memory - sizeof e->memory[0]);
    e->memories--;
    return true;
}

/* ---- a whole text ---- */

static struct look look_at(const char *text, size_t n)
{
    struct look look = {0};
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

/* The clause to take up: the first of those with the highest key, else the first
 * with any word. Clauses about "my …" are remembered on the way. */
static void choose_clause(struct eliza *e, const char *text, size_t n, struct clause *best)
{
    struct clause c;
    size_t at = 0;
    int best_rank = -1;

    best->n = 0;
    while (next_clause(text, n, &at, &c)) {
        int rank = 1000, place = -1;

        (void)next_key(e, &c, &rank, &place);
        if (rank > best_rank || !best->n) {
            *best = c;
            best_rank = rank;
        }
        remember(e, &c);
    }
}

static void answer(struct eliza *e, const struct clause *c, int known, struct sb *out)
{
    if (answer_by_keys(e, c, out))
        return;
    if (known && recall(e, out))
        return;
    answer_situation(e, "(none)", out);
}

/* "$3 …" at the beginning of a reply begins with a person's word. */
static void begin_with_capital(struct sb *out, size_t at)
{
    if (out->len > at && out->p[at] >= 'a' && out->p[at] <= 'z')
        out->p[at] = (char)(out->p[at] - 'a' + 'A');
}

void eliza_say(struct eliza *e, const char *text, size_t n, struct sb *out)
{
    int known = e->memories;      /* what is said now is not recalled at once */
    size_t from = out->len;
    struct clause c;
    struct look look;

    if (!e->indexed)
        index_keys(e);
    if (n > TEXT_MAX) {
        text += n - TEXT_MAX;
        n = TEXT_MAX;
    }
    look = look_at(text, n);
    if (memmem(text, n, "```", 3) || look.signs * 12 > look.ascii + look.signs + 60) {
        answer_situation(e, "(code)", out);
    } else if (!look.words) {
        answer_situation(e, "(empty)", out);
    } else if (look.other > look.ascii) {
        answer_situation(e, "(foreign)", out);
    } else {
        if (look.words > LONG_WORDS) {
            answer_situation(e, "(long)", out);
            sb_putc(out, ' ');
            from = out->len;
        }
        choose_clause(e, text, n, &c);
        answer(e, &c, known, out);
    }
    begin_with_capital(out, from);
}
