/* openai_request.c - the body of a Chat Completions request, as text. */
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
        sb_puts(out, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
}

bool openai_wants_completion_cap(const char *model)
{
    const char *name = strrchr(model, '/');

    name = name ? name + 1 : model;
    if (strncmp(name, "gpt-", 4) == 0)
        return name[4] >= '5' && name[4] <= '9';
    return name[0] == 'o' && name[1] >= '1' && name[1] <= '9' && (name[2] == '\0' || name[2] == '-');
}
