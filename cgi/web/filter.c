/* filter.c - PCRE2 without its compiler, held by a clock.
 *
 * A pattern's author is an administrator, who may make a mistake; the text is
 * anybody's. PCRE2's own limits count steps from each place a match may begin at,
 * not all of them, and not what one step scans. So it calls back before each item
 * of the pattern, and every 256th time the processor's time is looked at. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "web/filter.h"

#include <inttypes.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "web/web.h"

enum { NAME_MAX_BYTES = 64, TIME_MAX_US = 250 * 1000, LOOK_EVERY = 256, HEAP_KB = 8 * 1024, REDACTED_MAX = 64 * 1024 * 1024 };

struct rule {
    const char *name;            /* borrowed from the stored JSON */
    bool redact;
    pcre2_code *code;
};

struct filters {
    json_t *stored[2];           /* of the user, of the token; NULL: none */
    struct rule *rule;
    size_t rules;
    int64_t prompt_max;
    pcre2_match_context *match;
    int64_t used_us;             /* of the processor, by this request's patterns … */
    int64_t began_us;            /* … before the one that runs */
    uint32_t calls;
};

static pcre2_code *compile(const char *pattern, char *why, size_t why_size)
{
    PCRE2_SIZE at;
    int code;
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_AUTO_CALLOUT | PCRE2_NEVER_BACKSLASH_C,
                                  &code, &at, NULL);

    if (!c) {
        PCRE2_UCHAR text[128];

        (void)pcre2_get_error_message(code, text, sizeof text);
        (void)snprintf(why, why_size, "The pattern is not one: %s (at byte %zu).", (const char *)text, (size_t)at);
    }
    return c;
}

/* --- one that is to be stored --- */

struct pattern_wish {
    const char *name, *pattern, *action;
};

struct wish {
    const json_t *models, *patterns;
    int64_t max_prompt_tokens;
};

static const struct field fields[] = {
    {"models", FIELD_LIST, offsetof(struct wish, models), 0, FILTER_MODELS_MAX, false},
    {"max_prompt_tokens", FIELD_INT, offsetof(struct wish, max_prompt_tokens), 0, 100 * 1000 * 1000, false},
    {"patterns", FIELD_LIST, offsetof(struct wish, patterns), 0, FILTER_PATTERNS_MAX, false},
};

static const struct field pattern_fields[] = {
    {"name", FIELD_TEXT, offsetof(struct pattern_wish, name), 1, NAME_MAX_BYTES, true},
    {"pattern", FIELD_TEXT, offsetof(struct pattern_wish, pattern), 1, FILTER_PATTERN_BYTES, true},
    {"action", FIELD_TEXT, offsetof(struct pattern_wish, action), 1, 16, false},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

__attribute__((format(printf, 3, 4)))
static enum weir_err fail(struct field_fault *f, size_t i, const char *what, ...)
{
    va_list ap;

    (void)snprintf(f->param, sizeof f->param, "filters.%s[%zu]", strstr(what, "model") ? "models" : "patterns", i);
    va_start(ap, what);
    (void)vsnprintf(f->why, sizeof f->why, what, ap);
    va_end(ap);
    return WEIR_E_INVALID_FIELD;
}

static bool matches_nothing(pcre2_code *c)
{
    pcre2_match_data *m = pcre2_match_data_create_from_pattern(c, NULL);
    bool yes = m && pcre2_match(c, (PCRE2_SPTR) "", 0, 0, 0, m, NULL) >= 0;

    pcre2_match_data_free(m);
    return yes;
}

static enum weir_err read_pattern(const json_t *j, size_t i, struct field_fault *fault)
{
    struct pattern_wish w = {.action = "refuse"};
    char prefix[40], why[FIELD_WHY];
    pcre2_code *c;
    bool nothing;
    enum weir_err e;

    (void)snprintf(prefix, sizeof prefix, "filters.patterns[%zu].", i);
    if (!json_is_object(j))
        return fail(fault, i, "Each pattern is an object with 'name', 'pattern' and 'action'.");
    e = field_read(j, pattern_fields, COUNT(pattern_fields), prefix, &w, fault);
    if (e)
        return e;
    if (strcmp(w.action, "refuse") != 0 && strcmp(w.action, "redact") != 0)
        return fail(fault, i, "'action' of a pattern must be \"refuse\" or \"redact\".");
    c = compile(w.pattern, why, sizeof why);
    if (!c)
        return fail(fault, i, "%s", why);
    nothing = matches_nothing(c);
    pcre2_code_free(c);
    return nothing ? fail(fault, i, "The pattern matches a text without anything in it, so it would match every text.") : WEIR_OK;
}

enum weir_err filter_read(const json_t *wish, struct sb *out, struct field_fault *fault)
{
    struct wish w = {NULL, NULL, 0};
    enum weir_err e = field_read(wish, fields, COUNT(fields), "filters.", &w, fault);
    char *text;

    if (e)
        return e;
    for (size_t i = 0; i < json_array_size(w.models); i++) {
        const json_t *m = json_array_get(w.models, i);

        if (!json_is_string(m) || json_string_length(m) == 0 || json_string_length(m) > 127)
            return fail(fault, i, "Each of 'models' is the name of a model, or the beginning of some with * behind it.");
    }
    for (size_t i = 0; !e && i < json_array_size(w.patterns); i++)
        e = read_pattern(json_array_get(w.patterns, i), i, fault);
    if (e || (json_array_size(w.models) == 0 && json_array_size(w.patterns) == 0 && w.max_prompt_tokens == 0))
        return e;
    text = json_dumps(wish, JSON_COMPACT);
    sb_puts(out, text);
    free(text);
    return WEIR_OK;
}

/* --- those of who is asking --- */

static int called(pcre2_callout_block *block, void *data)
{
    struct filters *f = data;

    (void)block;
    if (++f->calls % LOOK_EVERY)
        return 0;
    return f->used_us + clock_cpu_us() - f->began_us > TIME_MAX_US ? PCRE2_ERROR_CALLOUT : 0;
}

static bool add_rules(struct filters *f, const json_t *patterns)
{
    size_t n = json_array_size(patterns);

    if (n == 0)
        return true;
    f->rule = mem_grow(f->rule, f->rules + n, sizeof *f->rule);
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(patterns, i);
        char why[FIELD_WHY];
        pcre2_code *code = compile(json_str(p, "pattern", ""), why, sizeof why);

        if (!code)
            return false;
        f->rule[f->rules++] = (struct rule){.name = json_str(p, "name", ""), .redact = strcmp(json_str(p, "action", ""), "redact") == 0,
                                            .code = code};
    }
    return true;
}

static bool add(struct filters *f, int which, const struct sb *text)
{
    int64_t max;

    if (text->len == 0)
        return true;
    f->stored[which] = json_loadb(sb_str(text), text->len, 0, NULL);
    max = json_int(f->stored[which], "max_prompt_tokens", 0);
    if (max > 0 && (f->prompt_max == 0 || max < f->prompt_max))
        f->prompt_max = max;
    return f->stored[which] && add_rules(f, json_object_get(f->stored[which], "patterns"));
}

enum weir_err filters_of(struct exchange *x, struct filters **out)
{
    struct sb user = sb_make(FILTER_JSON_MAX), token = sb_make(FILTER_JSON_MAX);
    struct filters *f;
    enum weir_err e;

    *out = x->filters;
    if (x->filters || !x->who.filtered)
        return WEIR_OK;
    e = account_filters(x->db, &x->who, &user, &token);
    f = mem_zalloc(1, sizeof *f);
    f->match = pcre2_match_context_create(NULL);
    if (!e && (!f->match || !sb_ok(&user) || !sb_ok(&token) || !add(f, 0, &user) || !add(f, 1, &token))) {
        log_error("filter: the filters of %s cannot be read", x->who.user_id);
        e = WEIR_E_INTERNAL;
    }
    if (e) {
        filters_free(f);
    } else {
        (void)pcre2_set_callout(f->match, called, f);
        (void)pcre2_set_heap_limit(f->match, HEAP_KB);
        *out = x->filters = f;
    }
    sb_done(&user);
    sb_done(&token);
    return e;
}

void filters_free(struct filters *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->rules; i++)
        pcre2_code_free(f->rule[i].code);
    free(f->rule);
    pcre2_match_context_free(f->match);
    json_decref(f->stored[0]);
    json_decref(f->stored[1]);
    free(f);
}

/* --- models and sizes --- */

static bool name_fits(const char *allowed, const char *model)
{
    size_t n = strlen(allowed);

    return n > 0 && allowed[n - 1] == '*' ? strncmp(allowed, model, n - 1) == 0 : strcmp(allowed, model) == 0;
}

bool filters_allow(const struct filters *f, const char *model)
{
    for (int k = 0; f && k < 2; k++) {
        const json_t *models = json_object_get(f->stored[k], "models");
        bool any = json_array_size(models) == 0;

        for (size_t i = 0; !any && i < json_array_size(models); i++)
            any = name_fits(json_string_value(json_array_get(models, i)), model);
        if (!any)
            return false;
    }
    return true;
}

int64_t filters_prompt_max(const struct filters *f)
{
    return f ? f->prompt_max : 0;
}

/* --- texts --- */

static enum weir_err refuse(struct exchange *x, const struct rule *r, const char *param, bool matched)
{
    struct sb extra = sb_make(1024);

    sb_puts(&extra, ",\"rule\":");
    sb_json(&extra, r->name);
    free(x->error_extra);
    x->error_extra = sb_take(&extra);
    return web_refuse(x, WEIR_E_FILTERED, param, matched ? "The rule '%s' does not let this text through; nothing was sent."
                      : "The rule '%s' takes too long on this text, so it was not let through; shorten it.", r->name);
}

/* The next match at or after `from`: its bounds, or false; *e says what went wrong. */
static bool next_match(struct filters *f, const struct rule *r, pcre2_match_data *m, const char *text, size_t n, size_t from, int *rc)
{
    f->began_us = clock_cpu_us();
    *rc = pcre2_match(r->code, (PCRE2_SPTR)text, n, from, 0, m, f->match);
    f->used_us += clock_cpu_us() - f->began_us;
    return *rc >= 0;
}

/* Append `text` with what matches replaced. False: nothing did, and `out` is empty. */
static bool redact(struct filters *f, const struct rule *r, pcre2_match_data *m, const char *text, size_t n, struct sb *out, int *rc)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m);
    size_t done = 0, from = 0;
    bool any = false;

    while (from <= n && next_match(f, r, m, text, n, from, rc)) {
        if (at[1] > at[0] && at[0] >= done) {
            sb_put(out, text + done, at[0] - done);
            sb_putf(out, "[%s]", r->name);
            done = at[1];
            any = true;
        }
        from = at[1] > from ? at[1] : from + 1;
        while (from < n && ((unsigned char)text[from] & 0xc0) == 0x80)
            from++;
    }
    if (any)
        sb_put(out, text + done, n - done);
    return any;
}

enum weir_err filters_text(struct exchange *x, struct filters *f, const char *param, const char *text, bool own, char **redacted)
{
    enum weir_err e = WEIR_OK;

    *redacted = NULL;
    for (size_t i = 0; f && !e && i < f->rules; i++) {
        const struct rule *r = &f->rule[i];
        const char *now = *redacted ? *redacted : text;
        pcre2_match_data *m;
        struct sb out = sb_make(REDACTED_MAX);
        int rc = PCRE2_ERROR_NOMEMORY;
        bool hit = false;

        if (own && !r->redact)
            continue;
        m = pcre2_match_data_create_from_pattern(r->code, NULL);
        if (m)
            hit = r->redact ? redact(f, r, m, now, strlen(now), &out, &rc) : next_match(f, r, m, now, strlen(now), 0, &rc);
        if ((rc < 0 && rc != PCRE2_ERROR_NOMATCH) || !sb_ok(&out))
            e = refuse(x, r, param, false);
        else if (hit && !r->redact)
            e = refuse(x, r, param, true);
        else if (hit) {
            free(*redacted);
            *redacted = sb_take(&out);
        }
        sb_done(&out);
        pcre2_match_data_free(m);
    }
    if (e) {
        free(*redacted);
        *redacted = NULL;
    }
    return e;
}

enum weir_err filters_json(struct exchange *x, struct filters *f, const char *param, json_t *value)
{
    enum weir_err e = WEIR_OK;
    const char *key;
    json_t *v;
    size_t i;

    if (!f || f->rules == 0)
        return WEIR_OK;
    if (json_is_string(value)) {
        char *redacted;

        e = filters_text(x, f, param, json_string_value(value), false, &redacted);
        if (redacted && json_string_set(value, redacted))
            e = WEIR_E_INTERNAL;
        free(redacted);
    } else if (json_is_object(value)) {
        json_object_foreach(value, key, v)
            if (!e)
                e = filters_json(x, f, param, v);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, v)
            if (!e)
                e = filters_json(x, f, param, v);
    }
    return e;
}
