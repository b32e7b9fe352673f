/* cfg_value.c - one option: from text into the struct, back to text, and what is allowed. */
#include "base/cfg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { TEXT_MAX = 4096, LIST_MAX = 256 };

#define PICO INT64_C(1000000000000)

static const struct {
    const char *name;
    int64_t us;
} units[] = {
    {"ms", USEC_PER_MS},
    {"s", USEC_PER_SEC},
    {"m", 60 * USEC_PER_SEC},
    {"min", 60 * USEC_PER_SEC},
    {"h", 3600 * USEC_PER_SEC},
    {"d", 86400 * USEC_PER_SEC},
};

/* Digits with an optional fraction, times `scale`, exactly: a fraction finer
 * than the scale is refused, and so are signs, exponents and empty text. */
static bool parse_decimal(const char **text, int64_t scale, int64_t *out)
{
    const char *p = *text;
    int64_t v = 0;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
            return false;
    if (__builtin_mul_overflow(v, scale, &v))
        return false;
    if (*p == '.') {
        int64_t part = scale;

        if (*++p < '0' || *p > '9')
            return false;
        for (; *p >= '0' && *p <= '9'; p++) {
            if (*p != '0' && part % 10 != 0)
                return false;
            part /= 10;
            if (__builtin_add_overflow(v, part * (*p - '0'), &v))
                return false;
        }
    }
    *text = p;
    *out = v;
    return true;
}

/* "1.5", "1500ms", "2 m": a number of `bare` microseconds, or of the unit it names. */
static bool parse_duration(const char *text, int64_t bare, int64_t *out)
{
    size_t digits = strspn(text, "0123456789.");
    const char *unit = text + digits + strspn(text + digits, " ");
    int64_t scale = *unit ? 0 : bare;

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i].name) == 0)
            scale = units[i].us;
    return scale > 0 && parse_decimal(&text, scale, out) && text[strspn(text, " ")] == *unit;
}

static bool parse_number(const char *text, int64_t scale, int64_t *out)
{
    return parse_decimal(&text, scale, out) && *text == '\0';
}

static bool parse_choice(const char *choices, const char *text, int *out)
{
    size_t n = strlen(text);
    int i = 0;

    for (const char *p = choices; n && *p; i++) {
        size_t len = strcspn(p, " ");

        if (len == n && memcmp(p, text, n) == 0) {
            *out = i;
            return true;
        }
        p += len + strspn(p + len, " ");
    }
    return false;
}

static void wipe(char *s)
{
    if (s)
        explicit_bzero(s, strlen(s));
    free(s);
}

static void list_free(struct cfg_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->items[i]);
    free(l->items);
    *l = (struct cfg_list){0};
}

/* One more item, blanks around it not counted; false if it is empty or one too many. */
static bool list_add(struct cfg_list *l, const char *p, size_t n)
{
    while (n && *p == ' ')
        p++, n--;
    while (n && p[n - 1] == ' ')
        n--;
    if (n == 0 || l->n == LIST_MAX)
        return false;
    l->items = mem_grow(l->items, l->n + 1, sizeof *l->items);
    l->items[l->n] = mem_zalloc(n + 1, 1);
    memcpy(l->items[l->n++], p, n);
    return true;
}

/* Items between commas. */
static bool parse_list(const char *text, struct cfg_list *out)
{
    struct cfg_list l = {0};
    size_t n = strcspn(text, ",");

    while (list_add(&l, text, n)) {
        if (text[n] == '\0') {
            list_free(out);
            *out = l;
            return true;
        }
        text += n + 1;
        n = strcspn(text, ",");
    }
    list_free(&l);
    return false;
}

static void map_free(struct cfg_map *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->names[i]);
        list_free(&m->lists[i]);
    }
    free(m->names);
    free(m->lists);
    *m = (struct cfg_map){0};
}

/* name=item,item with blanks around any of them. */
static bool map_add(struct cfg_map *m, const char *p, size_t n)
{
    const char *is = memchr(p, '=', n);
    struct cfg_list name = {0}, list = {0};
    char *items = is ? mem_zalloc(n + 1, 1) : NULL;
    bool ok = is && m->n < LIST_MAX && list_add(&name, p, (size_t)(is - p));

    if (is)
        memcpy(items, is + 1, n - (size_t)(is - p) - 1);
    for (size_t i = 0; ok && i < m->n; i++)
        ok = strcmp(m->names[i], name.items[0]) != 0;
    ok = ok && !strchr(items, '=') && parse_list(items, &list);
    if (ok) {
        m->names = mem_grow(m->names, m->n + 1, sizeof *m->names);
        m->lists = mem_grow(m->lists, m->n + 1, sizeof *m->lists);
        m->names[m->n] = name.items[0];
        m->lists[m->n++] = list;
        free(name.items);
    } else {
        list_free(&name);
    }
    free(items);
    return ok;
}

/* Entries between semicolons. */
static bool parse_map(const char *text, struct cfg_map *out)
{
    struct cfg_map m = {0};
    size_t n = strcspn(text, ";");

    while (map_add(&m, text, n)) {
        if (text[n] == '\0') {
            map_free(out);
            *out = m;
            return true;
        }
        text += n + 1;
        n = strcspn(text, ";");
    }
    map_free(&m);
    return false;
}

static bool text_ok(const struct cfg_option *o, const char *text)
{
    size_t n = strlen(text);

    if (n == 0 || n > (o->max ? (size_t)o->max : TEXT_MAX))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return !o->ok || o->ok(text);
}

/* Parse into the struct; false leaves it as it was. */
static bool set_value(const struct cfg_option *o, void *base, const char *text)
{
    void *at = (char *)base + o->at;
    int64_t n = 0;
    int choice = 0;

    switch (o->type) {
    case CFG_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return false;
        *(bool *)at = text[0] == 't';
        return true;
    case CFG_INT:
        if (!parse_number(text, 1, &n))
            return false;
        break;
    case CFG_SECONDS:
        if (!parse_duration(text, USEC_PER_SEC, &n))
            return false;
        break;
    case CFG_MINUTES:
        if (!parse_duration(text, 60 * USEC_PER_SEC, &n))
            return false;
        break;
    case CFG_RATIO:
        if (!parse_number(text, 1000, &n))
            return false;
        break;
    case CFG_USD:
        if (!parse_number(text, PICO, &n))
            return false;
        break;
    case CFG_TEXT:
    case CFG_SECRET:
        if (!text_ok(o, text))
            return false;
        if (o->type == CFG_SECRET)
            wipe(*(char **)at);
        else
            free(*(char **)at);
        *(char **)at = mem_strdup(text);
        return true;
    case CFG_CHOICE:
        if (!parse_choice(o->choices, text, &choice))
            return false;
        memcpy(at, &choice, sizeof choice);
        return true;
    case CFG_LIST:
        return (!o->ok || o->ok(text)) && parse_list(text, at);
    case CFG_MAP:
        return (!o->ok || o->ok(text)) && parse_map(text, at);
    }
    if (n < o->min || n > o->max)
        return false;
    *(int64_t *)at = n;
    return true;
}

/* n / scale, a power of ten, as a decimal without zeros at its end. */
static void put_decimal(struct sb *out, int64_t n, int64_t scale)
{
    int64_t rest = n % scale;

    sb_i64(out, n / scale);
    if (rest)
        sb_putc(out, '.');
    for (scale /= 10; rest > 0; scale /= 10) {
        sb_putc(out, (char)('0' + rest / scale));
        rest -= rest / scale * scale;
    }
}

static void put_minutes(struct sb *out, int64_t us)
{
    if (us % (60 * USEC_PER_SEC) == 0)
        sb_i64(out, us / (60 * USEC_PER_SEC));
    else {
        put_decimal(out, us, USEC_PER_SEC);
        sb_putc(out, 's');
    }
}

void cfg_allowed(const struct cfg_option *o, struct sb *out)
{
    if (o->must) {
        sb_puts(out, o->must);
        return;
    }
    switch (o->type) {
    case CFG_BOOL: sb_puts(out, "true or false"); return;
    case CFG_INT: sb_putf(out, "a whole number from %" PRId64 " to %" PRId64, o->min, o->max); return;
    case CFG_SECONDS:
    case CFG_MINUTES:
        sb_puts(out, "a duration from ");
        put_decimal(out, o->min, USEC_PER_SEC);
        sb_puts(out, " to ");
        put_decimal(out, o->max, USEC_PER_SEC);
        sb_putf(out, " seconds (a number of %s, or with a unit: \"90s\", \"1500ms\", \"5m\", \"1h\")",
                o->type == CFG_SECONDS ? "seconds" : "minutes");
        return;
    case CFG_RATIO:
        sb_puts(out, "a number from ");
        put_decimal(out, o->min, 1000);
        sb_puts(out, " to ");
        put_decimal(out, o->max, 1000);
        sb_puts(out, " with at most three decimals");
        return;
    case CFG_USD:
        sb_puts(out, "a number of dollars from ");
        put_decimal(out, o->min, PICO);
        sb_puts(out, " to ");
        put_decimal(out, o->max, PICO);
        return;
    case CFG_TEXT:
    case CFG_SECRET: sb_puts(out, "text that is not empty and has no control characters"); return;
    case CFG_CHOICE:
        sb_puts(out, "one of ");
        for (const char *p = o->choices; *p; p++)
            if (*p == ' ')
                sb_puts(out, ", ");
            else
                sb_putc(out, *p);
        return;
    case CFG_LIST: sb_putf(out, "a list of at most %d names", LIST_MAX); return;
    case CFG_MAP: sb_puts(out, "an object of lists of names, as in {\"a\": [\"b\", \"c\"]} or, in one text, a=b,c;d=e"); return;
    }
}

bool cfg_set(const struct cfg_option *o, void *base, const char *text, const char *source, struct sb *why)
{
    if (set_value(o, base, text))
        return true;
    sb_puts(why, source);
    if (o->type == CFG_SECRET)
        sb_puts(why, " has a value that is not allowed (not shown, it is a secret)");
    else {
        sb_puts(why, " is ");
        sb_json(why, text);
    }
    sb_puts(why, ", but it must be ");
    cfg_allowed(o, why);
    sb_putc(why, '.');
    return false;
}

void cfg_defaults(const struct cfg_bind *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->options[i].fallback && !set_value(&b->options[i], b->base, b->options[i].fallback))
            abort();
}

void cfg_free(const struct cfg_bind *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct cfg_option *o = &b->options[i];
        void *at = (char *)b->base + o->at;

        switch (o->type) {
        case CFG_TEXT:
            free(*(char **)at);
            *(char **)at = NULL;
            break;
        case CFG_SECRET:
            wipe(*(char **)at);
            *(char **)at = NULL;
            break;
        case CFG_LIST: list_free(at); break;
        case CFG_MAP: map_free(at); break;
        case CFG_BOOL:
        case CFG_INT:
        case CFG_SECONDS:
        case CFG_MINUTES:
        case CFG_RATIO:
        case CFG_USD:
        case CFG_CHOICE: break;
        }
    }
}

static void put_choice(const struct cfg_option *o, int choice, struct sb *out)
{
    const char *p = o->choices;

    for (; choice > 0; choice--)
        p = strchr(p, ' ') + 1;
    sb_put(out, p, strcspn(p, " "));
}

void cfg_value_text(const struct cfg_option *o, const void *base, struct sb *out)
{
    const void *at = (const char *)base + o->at;
    const struct cfg_list *l = at;
    const struct cfg_map *m = at;
    int choice;

    switch (o->type) {
    case CFG_BOOL: sb_puts(out, *(const bool *)at ? "true" : "false"); return;
    case CFG_INT: sb_i64(out, *(const int64_t *)at); return;
    case CFG_SECONDS: put_decimal(out, *(const int64_t *)at, USEC_PER_SEC); return;
    case CFG_MINUTES: put_minutes(out, *(const int64_t *)at); return;
    case CFG_RATIO: put_decimal(out, *(const int64_t *)at, 1000); return;
    case CFG_USD: put_decimal(out, *(const int64_t *)at, PICO); return;
    case CFG_TEXT: sb_puts(out, *(char *const *)at); return;
    case CFG_SECRET: return;
    case CFG_CHOICE:
        memcpy(&choice, at, sizeof choice);
        put_choice(o, choice, out);
        return;
    case CFG_LIST:
        for (size_t i = 0; i < l->n; i++) {
            sb_puts(out, i ? "," : "");
            sb_puts(out, l->items[i]);
        }
        return;
    case CFG_MAP:
        for (size_t i = 0; i < m->n; i++)
            for (size_t k = 0; k < m->lists[i].n; k++)
                sb_putf(out, "%s%s%s%s", k || !i ? "" : ";", k ? "," : m->names[i], k ? "" : "=", m->lists[i].items[k]);
        return;
    }
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool list_equal(const struct cfg_list *a, const struct cfg_list *b)
{
    for (size_t i = 0; a->n == b->n && i < a->n; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return a->n == b->n;
}

static bool map_equal(const struct cfg_map *a, const struct cfg_map *b)
{
    for (size_t i = 0; a->n == b->n && i < a->n; i++)
        if (strcmp(a->names[i], b->names[i]) != 0 || !list_equal(&a->lists[i], &b->lists[i]))
            return false;
    return a->n == b->n;
}

static struct cfg_list list_copy(const struct cfg_list *from)
{
    struct cfg_list l = {0};

    for (size_t i = 0; i < from->n; i++)
        (void)list_add(&l, from->items[i], strlen(from->items[i]));
    return l;
}

static struct cfg_map map_copy(const struct cfg_map *from)
{
    struct cfg_map m = {.names = mem_zalloc(from->n, sizeof *m.names), .lists = mem_zalloc(from->n, sizeof *m.lists), .n = from->n};

    for (size_t i = 0; i < m.n; i++) {
        m.names[i] = mem_strdup(from->names[i]);
        m.lists[i] = list_copy(&from->lists[i]);
    }
    return m;
}

bool cfg_equal(const struct cfg_option *o, const void *a, const void *b)
{
    const void *x = (const char *)a + o->at, *y = (const char *)b + o->at;

    switch (o->type) {
    case CFG_BOOL: return *(const bool *)x == *(const bool *)y;
    case CFG_INT:
    case CFG_SECONDS:
    case CFG_MINUTES:
    case CFG_RATIO:
    case CFG_USD: return *(const int64_t *)x == *(const int64_t *)y;
    case CFG_CHOICE: return memcmp(x, y, sizeof(int)) == 0;
    case CFG_TEXT:
    case CFG_SECRET: return same_text(*(char *const *)x, *(char *const *)y);
    case CFG_LIST: return list_equal(x, y);
    case CFG_MAP: return map_equal(x, y);
    }
    return false;
}

void cfg_copy(const struct cfg_option *o, void *to, const void *from)
{
    const void *y = (const char *)from + o->at;
    void *x = (char *)to + o->at;
    struct cfg_list list;
    struct cfg_map map;
    char *old;

    switch (o->type) {
    case CFG_BOOL: *(bool *)x = *(const bool *)y; return;
    case CFG_INT:
    case CFG_SECONDS:
    case CFG_MINUTES:
    case CFG_RATIO:
    case CFG_USD: *(int64_t *)x = *(const int64_t *)y; return;
    case CFG_CHOICE: memcpy(x, y, sizeof(int)); return;
    case CFG_TEXT:
    case CFG_SECRET:
        old = *(char **)x;
        *(char **)x = mem_strdup(*(char *const *)y);
        if (o->type == CFG_SECRET)
            wipe(old);
        else
            free(old);
        return;
    case CFG_LIST:
        list = list_copy(y);
        list_free(x);
        *(struct cfg_list *)x = list;
        return;
    case CFG_MAP:
        map = map_copy(y);
        map_free(x);
        *(struct cfg_map *)x = map;
        return;
    }
}
