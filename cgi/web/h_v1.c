/* h_v1.c - OpenAI's paths: POST /v1/chat/completions, /v1/embeddings, /v1/responses.
 * To a provider that speaks alike the body goes as it came, but for the model
 * and what limits and metering need. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "web/route.h"
#include "web/v1.h"
#include "web/v1_count.h"

enum { CHOICES_MAX = 128 };

/* What the client says of its stream beside usage goes on. Owned, or NULL. */
static char *other_stream_options(const json_t *options)
{
    struct sb out = sb_make(64 * 1024);
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)options, name, v) {
        char *text = strcmp(name, "include_usage") == 0 ? NULL : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

        if (!text)
            continue;
        if (out.len)
            sb_putc(&out, ',');
        sb_json(&out, name);
        sb_puts(&out, ":");
        sb_puts(&out, text);
        free(text);
    }
    return out.len ? sb_take(&out) : NULL;
}

/* --- Chat Completions --- */

static const char *const chat_own[] = {"stream_options", "max_tokens", "max_completion_tokens", NULL};

static struct job *chat_job(struct exchange *x, struct v1 *v, bool new_name)
{
    const json_t *options = json_object_get(x->json, "stream_options");
    struct job *j = v1_job(x, v);

    j->usage_wanted = json_is_true(json_object_get(options, "include_usage"));
    j->stream_options = other_stream_options(options);
    j->max_completion_tokens = j->max_completion_tokens || new_name;
    for (size_t i = 0; j->candidates && i < v->candidates.n; i++)
        j->candidates[i].max_completion_tokens = j->candidates[i].max_completion_tokens || new_name;
    return j;
}

static enum weir_err chat(struct exchange *x, struct v1 *v)
{
    int64_t newer = 0;
    enum weir_err e = v1_begin(x, WIRE_CHAT, "messages", v);

    if (e || (e = v1_check_messages(x)) || (e = v1_count(x, "n", CHOICES_MAX, &v->choices)) ||
        (e = v1_count(x, "max_tokens", V1_CAP_MAX, &v->max_tokens)) || (e = v1_count(x, "max_completion_tokens", V1_CAP_MAX, &newer)))
        return e;
    if (newer && (!v->max_tokens || newer < v->max_tokens))
        v->max_tokens = newer;
    v1_gather_turns(x, v);
    e = v1_fit(x, v, v1_count_chat, "messages");
    return e ? e : v1_go(x, v, chat_job(x, v, newer > 0), chat_own);
}

enum weir_err h_v1_chat(struct exchange *x)
{
    return v1_serve(x, chat);
}

/* --- embeddings --- */

static enum weir_err embeddings(struct exchange *x, struct v1 *v)
{
    static const char *const own[] = {"stream", NULL};
    enum weir_err e = v1_begin(x, WIRE_EMBEDDINGS, "input", v);

    if (e)
        return e;
    if (!json_object_get(x->json, "input"))
        return web_refuse(x, WEIR_E_MISSING_FIELD, "input", "'input' is missing.");
    v->launch.kind = JOB_COMPLETE;
    v->max_tokens = 1;                               /* there is no output; admission wants a number */
    for (size_t i = 0; i < v->candidates.n; i++)
        v->candidates.of[i].context = 0;             /* that of one input, not of all together: the provider knows */
    e = v1_fit(x, v, v1_count_embeddings, "input");
    return e ? e : v1_go(x, v, v1_job(x, v), own);
}

enum weir_err h_v1_embeddings(struct exchange *x)
{
    return v1_serve(x, embeddings);
}

/* --- Responses --- */

static enum weir_err responses(struct exchange *x, struct v1 *v)
{
    static const char *const own[] = {"max_output_tokens", NULL};
    const json_t *input = json_object_get(x->json, "input");
    bool background;
    enum weir_err e = v1_begin(x, WIRE_RESPONSES, "input", v);

    if (e || (e = v1_flag(x, "background", &background)) || (e = v1_count(x, "max_output_tokens", V1_CAP_MAX, &v->max_tokens)))
        return e;
    if (background)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "background", "'background' is not taken: what it uses would be known to nobody here.");
    if (json_is_string(input) && v->launch.session_id) {
        v->turns = mem_zalloc(1, sizeof *v->turns);
        v->turns[v->turn_count++] = (struct openai_turn){"user", mem_strdup(json_string_value(input))};
        v1_keep_texts(v);
    }
    e = v1_fit(x, v, v1_count_responses, "input");
    return e ? e : v1_go(x, v, v1_job(x, v), own);
}

enum weir_err h_v1_responses(struct exchange *x)
{
    const struct settings *s = x->web->settings;
    size_t i = 0;

    while (i < s->n_upstreams && !(s->upstreams[i].enabled && settings_has_responses(&s->upstreams[i])))
        i++;
    if (i == s->n_upstreams)
        return web_refuse(x, WEIR_E_NOT_FOUND, NULL, "No provider here has /v1/responses; use /v1/chat/completions.");
    return v1_serve(x, responses);
}
