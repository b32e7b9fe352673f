/* openai_request.c - the body of a Chat Completions request, as text. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "peer/openai.h"

static void option(struct sb *out, const char *name, const json_t *value)
{
    char *text = value && !json_is_null(value) ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    if (text)
        sb_putf(out, ",\"%s\":%s", name, text);
    free(text);
}

static void option_of_model(struct sb *out, const struct openai_options *o)
{
    if (o->no_temperature)
        return;
    option(out, "temperature", o->temperature);
    option(out, "top_p", o->top_p);
}

void openai_request_model(struct sb *out, const char *model, const struct openai_options *o)
{
    sb_puts(out, ",\"model\":");
    sb_json(out, model);
    option_of_model(out, o);
}

void openai_request(struct sb *out, const char *model, const struct openai_turn *turns, size_t n,
                    const struct openai_options *o)
{
    if (model) {
        sb_puts(out, "{\"model\":");
        sb_json(out, model);
        sb_puts(out, ",\"messages\":[");
    } else {
        sb_puts(out, "{\"messages\":[");
    }
    for (size_t i = 0; i < n; i++) {
        sb_puts(out, i ? ",{\"role\":" : "{\"role\":");
        sb_json(out, turns[i].role);
        sb_puts(out, ",\"content\":");
        sb_json(out, turns[i].text);
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
    if (model)
        option_of_model(out, o);
    option(out, "stop", o->stop);
    if (o->stream)
        sb_puts(out, ",\"stream\":true");
}

void openai_close(struct sb *out, const struct wire_tail *t)
{
    if (t->stream && (t->stream_options || t->usage != STREAM_USAGE_NONE)) {
        sb_puts(out, ",\"stream_options\":{");
        sb_puts(out, t->stream_options);
        if (t->usage != STREAM_USAGE_NONE)
            sb_puts(out, t->stream_options ? ",\"include_usage\":true" : "\"include_usage\":true");
        if (t->usage == STREAM_USAGE_CONTINUOUS)
            sb_puts(out, ",\"continuous_usage_stats\":true");
        sb_putc(out, '}');
    }
    if (t->cap)
        sb_putf(out, ",\"%s\":%" PRId64, t->max_completion_tokens ? "max_completion_tokens" : "max_tokens", t->cap);
    sb_putc(out, '}');
}

void openai_close_embeddings(struct sb *out, const struct wire_tail *t)
{
    (void)t;
    sb_putc(out, '}');
}

void openai_close_responses(struct sb *out, const struct wire_tail *t)
{
    if (t->cap)
        sb_putf(out, ",\"max_output_tokens\":%" PRId64, t->cap);
    sb_putc(out, '}');
}

bool openai_wants_completion_cap(const char *model)
{
    const char *name = strrchr(model, '/');

    name = name ? name + 1 : model;
    if (strncmp(name, "gpt-", 4) == 0)
        return name[4] >= '5' && name[4] <= '9';
    return name[0] == 'o' && name[1] >= '1' && name[1] <= '9' && (name[2] == '\0' || name[2] == '-');
}
