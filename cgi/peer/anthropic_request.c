/* anthropic_request.c - the body of a Messages request, as text. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "peer/anthropic.h"

static bool is_system(const struct openai_turn *t)
{
    return strcmp(t->role, "system") == 0;
}

/* Blank ones are refused, and nothing is lost with them. */
static bool has_words(const struct openai_turn *t)
{
    return t->text[strspn(t->text, " \t\r\n")] != '\0';
}

static void put_system(struct sb *out, const struct openai_turn *turns, size_t n)
{
    struct sb text;
    size_t all = 1;

    for (size_t i = 0; i < n; i++)
        all += is_system(&turns[i]) ? strlen(turns[i].text) + 2 : 0;
    text = sb_make(all);
    for (size_t i = 0; i < n; i++) {
        if (!is_system(&turns[i]) || !has_words(&turns[i]))
            continue;
        sb_puts(&text, text.len ? "\n\n" : "");
        sb_puts(&text, turns[i].text);
    }
    if (text.starved) {
        out->failed = out->starved = true;
    } else if (text.len) {
        sb_puts(out, "\"system\":");
        sb_json(out, sb_str(&text));
        sb_putc(out, ',');
    }
    sb_done(&text);
}

/* A string, or a list of them, as a list. */
static void put_stop(struct sb *out, const json_t *stop)
{
    char *text = stop && !json_is_null(stop) ? json_dumps(stop, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    if (text)
        sb_putf(out, json_is_array(stop) ? ",\"stop_sequences\":%s" : ",\"stop_sequences\":[%s]", text);
    free(text);
}

void anthropic_request(struct sb *out, const char *model, const struct openai_turn *turns, size_t n,
                       const struct openai_options *o)
{
    const char *comma = "";

    sb_putc(out, '{');
    put_system(out, turns, n);
    sb_puts(out, "\"messages\":[");
    for (size_t i = 0; i < n; i++) {
        if (is_system(&turns[i]) || !has_words(&turns[i]))
            continue;
        sb_puts(out, comma);
        sb_puts(out, "{\"role\":");
        sb_json(out, turns[i].role);
        sb_puts(out, ",\"content\":");
        sb_json(out, turns[i].text);
        sb_putc(out, '}');
        comma = ",";
    }
    sb_putc(out, ']');
    if (model)
        openai_request_model(out, model, o);
    put_stop(out, o->stop);
    if (o->stream)
        sb_puts(out, ",\"stream\":true");
}

void anthropic_close(struct sb *out, const struct wire_tail *t)
{
    sb_putf(out, ",\"max_tokens\":%" PRId64 "}", t->no_answer ? 0 : t->cap ? t->cap : t->max_tokens);
}

void anthropic_close_count(struct sb *out, const struct wire_tail *t)
{
    (void)t;
    sb_putc(out, '}');
}
