/* eliza.c - of all clauses takes up the one with the key of highest rank, takes
 * it apart and puts it together again; what it cannot answer, it asks around. */
#include "rules/eliza.h"

#include <stdbool.h>
#include <string.h>

#include "rules/eliza_script.h"
#include "rules/eliza_words.h"

enum {
    ECHO_WORDS = 20,         /* no more of a person's words in one reply */
    TEXT_MAX = 8192,         /* of a longer text the end is heard */
    LONG_WORDS = 150,
    JUMPS_MAX = 4
};

/* ---- saying it back ---- */

/* The word at `i` with persons exchanged; its neighbours decide about "you" and "to be". */
static const char *turned(const struct eliza_clause *c, int i, int to)
{
    const char *low = c->w[i].low, *before = i ? c->w[i - 1].low : "";
    const char *swap = eliza_pair_find(eliza_after, eliza_after_count, low, strlen(low));

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

static void put_words(struct sb *out, const struct eliza_clause *c, int from, int to)
{
    for (int i = from; i < to; i++) {
        if (i > from)
            sb_putc(out, ' ');
        sb_puts(out, turned(c, i, to));
    }
}

/* Can this reply be given, with parts that are neither empty nor too long? */
static bool reply_fits(const char *reply, const struct eliza_parts *p)
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

static void put_reply(struct sb *out, const char *reply, const struct eliza_clause *c, const struct eliza_parts *p)
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
static const char *next_reply(struct eliza *e, size_t row, const struct eliza_parts *p)
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
        if (eliza_in_list(eliza_rows[e->key[i] - 1].keys, ' ', word, n))
            return (size_t)e->key[i] - 1;
    return eliza_row_count;
}

/* Answer by the key at `row`; false if it has nothing to say about this clause. */
static bool answer_by_key(struct eliza *e, size_t row, const struct eliza_clause *c, struct sb *out)
{
    int jumps = 0;

    for (bool first = true; row < eliza_row_count && (first || !eliza_rows[row].keys); row++) {
        struct eliza_parts p;
        const char *reply;

        first = false;
        if (!eliza_match(eliza_rows[row].pattern, c, &p))
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
static size_t next_key(const struct eliza *e, const struct eliza_clause *c, int *rank, int *place)
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

static bool answer_by_keys(struct eliza *e, const struct eliza_clause *c, struct sb *out)
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
    static const struct eliza_clause nothing = {.n = 0};

    (void)answer_by_key(e, key_row(e, key), &nothing, out);
}

/* ---- memory ---- */

/* Keep what follows "my", for a moment when there is nothing to say. */
static void remember(struct eliza *e, const struct eliza_clause *c)
{
    struct sb text = sb_make(ELIZA_MEMORY_SIZE - 1);
    struct eliza_parts p;
    int to;

    if (!eliza_match("* my *", c, &p) || p.from[2] == p.to[2])
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
    struct eliza_parts one = {.from = {0}, .to = {1}, .n = 1};
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

/* The clause to take up: the first of those with the highest key, else the first
 * with any word. Clauses about "my …" are remembered on the way. */
static void choose_clause(struct eliza *e, const char *text, size_t n, struct eliza_clause *best)
{
    struct eliza_clause c;
    size_t at = 0;
    int best_rank = -1;

    best->n = 0;
    while (eliza_next_clause(text, n, &at, &c)) {
        int rank = 1000, place = -1;

        (void)next_key(e, &c, &rank, &place);
        if (rank > best_rank || !best->n) {
            *best = c;
            best_rank = rank;
        }
        remember(e, &c);
    }
}

static void answer(struct eliza *e, const struct eliza_clause *c, int known, struct sb *out)
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
    struct eliza_clause c;
    struct eliza_look look;

    if (!e->indexed)
        index_keys(e);
    if (n > TEXT_MAX) {
        text += n - TEXT_MAX;
        n = TEXT_MAX;
    }
    look = eliza_look_at(text, n);
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
