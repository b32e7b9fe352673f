/* translate_to_messages.c - OpenAI's Chat Completions as Anthropic's Messages.
 *
 * System texts leave the conversation for a member of their own; results of tools
 * are a user's; neighbours of one role become one turn, as Anthropic wants it. */
#include <string.h>

#include "base/json.h"
#include "peer/translate_impl.h"

/* --- parts of a content --- */

static json_t *text_block(const char *text, const json_t *cache_control)
{
    return json_pack("{s:s, s:s, s:o*}", "type", "text", "text", text, "cache_control", json_deep_copy(cache_control));
}

/* data:image/png;base64,… as {"type":"base64",…}; NULL: it is no such address. */
static json_t *source_of_data(const char *url)
{
    const char *type = url + 5, *type_end = strpbrk(url, ";,"), *data = strchr(url, ',');

    if (strncmp(url, "data:", 5) != 0 || !type_end || type_end == type || !data || data - url < 12 || memcmp(data - 7, ";base64", 7) != 0)
        return NULL;
    return json_pack("{s:s, s:s%, s:s}", "type", "base64", "media_type", type, (size_t)(type_end - type), "data", data + 1);
}

static enum weir_err image(struct translation *t, const char *at, const json_t *part, json_t *blocks)
{
    const char *url = translate_string(t, json_object_get(part, "image_url"), at, "url");
    json_t *source;

    if (!url)
        return WEIR_E_INVALID_FIELD;
    if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0)
        source = json_pack("{s:s, s:s}", "type", "url", "url", url);
    else
        source = source_of_data(url);
    if (!source)
        return translate_must(t, at, "an http address, or data: in base64");
    json_array_append_new(blocks, json_pack("{s:s, s:o}", "type", "image", "source", source));
    return WEIR_OK;
}

/* A file that comes with the request; one that lies at OpenAI is nobody else's. */
static enum weir_err file(struct translation *t, const char *at, const json_t *part, json_t *blocks)
{
    const json_t *f = json_object_get(part, "file");
    json_t *source = source_of_data(json_str(f, "file_data", ""));

    if (!source || strcmp(json_str(source, "media_type", ""), "application/pdf") != 0) {
        json_decref(source);
        return translate_nothing_like(t, at);
    }
    json_array_append_new(blocks, json_pack("{s:s, s:o, s:s*}", "type", "document", "source", source, "title", json_str(f, "filename", NULL)));
    return WEIR_OK;
}

static enum weir_err part(struct translation *t, const char *at, const json_t *p, json_t *blocks)
{
    static const char *const known[] = {"type", "text", "refusal", "image_url", "file", "cache_control", "prompt_cache_breakpoint"};
    const char *type = json_str(p, "type", ""), *text;

    if (strcmp(type, "image_url") == 0)
        return image(t, at, p, blocks);
    if (strcmp(type, "file") == 0)
        return file(t, at, p, blocks);
    if (strcmp(type, "text") != 0 && strcmp(type, "refusal") != 0)
        return *type ? translate_nothing_like(t, at) : translate_must(t, at, "a part with a type");
    if (translate_known(t, at, p, known, sizeof known / sizeof *known))
        return WEIR_E_INVALID_FIELD;
    text = translate_string(t, p, at, type);
    if (!text)
        return WEIR_E_INVALID_FIELD;
    if (*text)                                       /* Anthropic takes no empty ones */
        json_array_append_new(blocks, text_block(text, json_object_get(p, "cache_control")));
    return WEIR_OK;
}

/* A string, parts, or nothing, as blocks. */
static enum weir_err content(struct translation *t, const char *at, const json_t *v, json_t *blocks)
{
    enum weir_err e = WEIR_OK;

    if (!v || json_is_null(v))
        return WEIR_OK;
    if (json_is_string(v)) {
        if (json_string_length(v))
            json_array_append_new(blocks, text_block(json_string_value(v), NULL));
        return WEIR_OK;
    }
    if (!json_is_array(v))
        return translate_must(t, at, "a string or a list of parts");
    for (size_t i = 0; !e && i < json_array_size(v); i++) {
        char path[TRANSLATE_PATH];

        translate_path(path, at, "", (int)i);
        e = part(t, path, json_array_get(v, i), blocks);
    }
    return e;
}

/* --- messages --- */

static enum weir_err tool_call(struct translation *t, const char *at, const json_t *call, json_t *blocks)
{
    const json_t *f = json_object_get(call, "function");
    const char *id = translate_string(t, call, at, "id"), *name, *arguments;
    char path[TRANSLATE_PATH];
    json_t *input;

    if (!id)
        return WEIR_E_INVALID_FIELD;
    translate_path(path, at, "function", -1);
    if (!f)
        return translate_nothing_like(t, at);
    name = translate_string(t, f, path, "name");
    arguments = name ? translate_string(t, f, path, "arguments") : NULL;
    if (!arguments)
        return WEIR_E_INVALID_FIELD;
    input = *arguments ? json_loads(arguments, 0, NULL) : json_object();
    translate_path(path, at, "function.arguments", -1);
    if (!json_is_object(input)) {
        json_decref(input);
        return translate_must(t, path, "the text of a JSON object");
    }
    json_array_append_new(blocks, json_pack("{s:s, s:s, s:s, s:o}", "type", "tool_use", "id", id, "name", name, "input", input));
    return WEIR_OK;
}

static enum weir_err assistant(struct translation *t, const char *at, const json_t *m, json_t *blocks)
{
    const json_t *calls = json_object_get(m, "tool_calls"), *refusal = json_object_get(m, "refusal");
    char path[TRANSLATE_PATH];
    enum weir_err e;

    translate_path(path, at, "content", -1);
    e = content(t, path, json_object_get(m, "content"), blocks);
    if (!e && json_is_string(refusal))
        e = content(t, path, refusal, blocks);
    for (size_t i = 0; !e && i < json_array_size(calls); i++) {
        translate_path(path, at, "tool_calls", (int)i);
        e = tool_call(t, path, json_array_get(calls, i), blocks);
    }
    return e;
}

static enum weir_err tool_result(struct translation *t, const char *at, const json_t *m, json_t *blocks)
{
    const char *id = translate_string(t, m, at, "tool_call_id");
    json_t *said = json_array();
    char path[TRANSLATE_PATH];
    enum weir_err e;

    translate_path(path, at, "content", -1);
    e = id ? content(t, path, json_object_get(m, "content"), said) : WEIR_E_INVALID_FIELD;
    if (!e)
        json_array_append_new(blocks, json_pack("{s:s, s:s, s:O}", "type", "tool_result", "tool_use_id", id, "content", said));
    json_decref(said);
    return e;
}

/* A neighbour of the same role is the same turn. */
static void add_turn(struct translation *t, const char *role, json_t *blocks)
{
    const json_t *last = json_array_get(t->messages, json_array_size(t->messages) - 1);

    if (strcmp(json_str(last, "role", ""), role) == 0)
        json_array_extend(json_object_get(last, "content"), blocks);
    else if (json_array_size(blocks))
        json_array_append_new(t->messages, json_pack("{s:s, s:O}", "role", role, "content", blocks));
}

/* What a message may have beside its content. Thoughts are of use to nobody but who signed them; the rest is what an
 * answer has, and comes back with it. */
static enum weir_err check_message(struct translation *t, const char *at, const json_t *m)
{
    static const char *const known[] = {"role", "content", "tool_calls", "tool_call_id", "refusal", "annotations",
                                        "reasoning_content", "reasoning"};

    return translate_known(t, at, m, known, sizeof known / sizeof *known);
}

static enum weir_err message(struct translation *t, const char *at, const json_t *m)
{
    const char *role = translate_string(t, m, at, "role");
    json_t *blocks;
    char path[TRANSLATE_PATH];
    enum weir_err e;

    if (!role)
        return WEIR_E_INVALID_FIELD;
    if ((e = check_message(t, at, m)))
        return e;
    translate_path(path, at, "content", -1);
    if (strcmp(role, "system") == 0 || strcmp(role, "developer") == 0) {
        if (t->system.len)
            sb_puts(&t->system, "\n\n");
        return translate_texts(t, path, json_object_get(m, "content"), "\n\n", &t->system);
    }
    blocks = json_array();
    if (strcmp(role, "user") == 0) {
        e = content(t, path, json_object_get(m, "content"), blocks);
    } else if (strcmp(role, "assistant") == 0) {
        e = assistant(t, at, m, blocks);
    } else if (strcmp(role, "tool") == 0) {
        e = tool_result(t, at, m, blocks);
    } else {
        translate_path(path, at, "role", -1);
        e = translate_nothing_like(t, path);
    }
    if (!e)
        add_turn(t, strcmp(role, "assistant") == 0 ? "assistant" : "user", blocks);
    json_decref(blocks);
    return e;
}

static enum weir_err messages(struct translation *t, const char *at, const json_t *v)
{
    enum weir_err e = WEIR_OK;

    t->messages = json_array();
    json_object_set_new(t->to, at, t->messages);
    for (size_t i = 0; !e && i < json_array_size(v); i++) {
        char path[TRANSLATE_PATH];

        translate_path(path, "", at, (int)i);
        e = message(t, path, json_array_get(v, i));
    }
    return e;
}

/* --- the other members --- */

static enum weir_err stop(struct translation *t, const char *at, const json_t *v)
{
    (void)at;
    json_object_set_new(t->to, "stop_sequences", json_is_array(v) ? json_deep_copy(v) : json_pack("[O]", v));
    return WEIR_OK;
}

static enum weir_err tools(struct translation *t, const char *at, const json_t *v)
{
    static const char *const known[] = {"name", "description", "parameters", "strict"};
    json_t *out = json_array();

    json_object_set_new(t->to, "tools", out);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *tool = json_array_get(v, i), *f = json_object_get(tool, "function"), *input = json_object_get(f, "parameters");
        char path[TRANSLATE_PATH], inside[TRANSLATE_PATH];
        const char *name;

        translate_path(path, "", at, (int)i);
        if (strcmp(json_str(tool, "type", ""), "function") != 0)
            return translate_nothing_like(t, path);
        translate_path(inside, path, "function", -1);
        name = translate_known(t, inside, f, known, sizeof known / sizeof *known) ? NULL : translate_string(t, f, inside, "name");
        if (!name)
            return WEIR_E_INVALID_FIELD;
        json_array_append_new(out, json_pack("{s:s, s:s*, s:o, s:o*}", "name", name, "description", json_str(f, "description", NULL),
                                             "input_schema", json_is_object(input) ? json_deep_copy(input) : json_pack("{s:s, s:{}}", "type", "object", "properties"),
                                             "strict", json_is_true(json_object_get(f, "strict")) ? json_true() : NULL));
    }
    return WEIR_OK;
}

static enum weir_err tool_choice(struct translation *t, const char *at, const json_t *v)
{
    static const char *const words[][2] = {{"none", "none"}, {"auto", "auto"}, {"required", "any"}};
    const char *word = json_is_string(v) ? json_string_value(v) : "", *name;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], word) == 0) {
            json_object_set_new(translate_object(t, at), "type", json_string(words[i][1]));
            return WEIR_OK;
        }
    if (strcmp(json_str(v, "type", ""), "function") != 0)
        return translate_nothing_like(t, at);
    name = translate_string(t, json_object_get(v, "function"), "tool_choice.function", "name");
    if (!name)
        return WEIR_E_INVALID_FIELD;
    json_object_set_new(translate_object(t, at), "type", json_string("tool"));
    json_object_set_new(translate_object(t, at), "name", json_string(name));
    return WEIR_OK;
}

static enum weir_err parallel_tool_calls(struct translation *t, const char *at, const json_t *v)
{
    const char *choice = json_str(t->from, "tool_choice", "");
    json_t *to;

    (void)at;
    if (!json_is_false(v) || strcmp(choice, "none") == 0 || json_array_size(json_object_get(t->from, "tools")) == 0)
        return WEIR_OK;
    to = translate_object(t, "tool_choice");
    if (!json_object_get(to, "type"))
        json_object_set_new(to, "type", json_string("auto"));
    json_object_set_new(to, "disable_parallel_tool_use", json_true());
    return WEIR_OK;
}

static enum weir_err response_format(struct translation *t, const char *at, const json_t *v)
{
    const char *type = json_str(v, "type", "");
    const json_t *schema = json_object_get(json_object_get(v, "json_schema"), "schema");

    if (strcmp(type, "text") == 0)
        return WEIR_OK;
    if (strcmp(type, "json_schema") != 0)
        return translate_nothing_like(t, at);
    if (!json_is_object(schema))
        return translate_must(t, "response_format.json_schema.schema", "a JSON schema");
    json_object_set_new(translate_object(t, "output_config"), "format",
                        json_pack("{s:s, s:o}", "type", "json_schema", "schema", json_deep_copy(schema)));
    return WEIR_OK;
}

static enum weir_err reasoning_effort(struct translation *t, const char *at, const json_t *v)
{
    static const char *const efforts[][2] = {{"minimal", "low"}, {"low", "low"}, {"medium", "medium"}, {"high", "high"},
                                             {"xhigh", "xhigh"}, {"max", "max"}};
    const char *word = json_is_string(v) ? json_string_value(v) : "";

    if (strcmp(word, "none") == 0) {
        json_object_set_new(t->to, "thinking", json_pack("{s:s}", "type", "disabled"));
        return WEIR_OK;
    }
    for (size_t i = 0; i < sizeof efforts / sizeof *efforts; i++)
        if (strcmp(efforts[i][0], word) == 0) {
            json_object_set_new(t->to, "thinking", json_pack("{s:s}", "type", "adaptive"));
            json_object_set_new(translate_object(t, "output_config"), "effort", json_string(efforts[i][1]));
            return WEIR_OK;
        }
    return translate_must(t, at, "none, minimal, low, medium, high, xhigh or max");
}

static enum weir_err user(struct translation *t, const char *at, const json_t *v)
{
    if (!json_is_string(v))
        return translate_must(t, at, "a string");
    json_object_set_new(translate_object(t, "metadata"), "user_id", json_string(json_string_value(v)));
    return WEIR_OK;
}

static enum weir_err service_tier(struct translation *t, const char *at, const json_t *v)
{
    const char *word = json_is_string(v) ? json_string_value(v) : "";

    if (strcmp(word, "auto") != 0 && strcmp(word, "default") != 0)
        return translate_nothing_like(t, at);
    json_object_set_new(t->to, at, json_string(strcmp(word, "auto") == 0 ? "auto" : "standard_only"));
    return WEIR_OK;
}

static enum weir_err temperature(struct translation *t, const char *at, const json_t *v)
{
    if (json_is_number(v) && json_number_value(v) > 1)
        return translate_must(t, at, "at most 1 for this model");
    return translate_same(t, at, v);
}

static enum weir_err only_one(struct translation *t, const char *at, const json_t *v)
{
    return json_integer_value(v) == 1 ? WEIR_OK : translate_nothing_like(t, at);
}

static enum weir_err only_text(struct translation *t, const char *at, const json_t *v)
{
    const json_t *first = json_array_get(v, 0);

    return json_array_size(v) == 1 && json_is_string(first) && strcmp(json_string_value(first), "text") == 0 ? WEIR_OK
                                                                                                            : translate_nothing_like(t, at);
}

static enum weir_err only_medium(struct translation *t, const char *at, const json_t *v)
{
    return json_is_string(v) && strcmp(json_string_value(v), "medium") == 0 ? WEIR_OK : translate_nothing_like(t, at);
}

static const struct translate_rule rules[] = {
    {"model", NULL}, {"max_tokens", NULL}, {"max_completion_tokens", NULL}, {"stream_options", NULL},
    {"prompt_cache_key", NULL}, {"prompt_cache_retention", NULL}, {"prompt_cache_options", NULL},
    {"messages", messages}, {"stream", NULL}, {"temperature", temperature}, {"top_p", translate_same}, {"stop", stop}, {"n", only_one},
    {"tools", tools}, {"tool_choice", tool_choice}, {"parallel_tool_calls", parallel_tool_calls},
    {"response_format", response_format}, {"reasoning_effort", reasoning_effort},
    {"user", user}, {"safety_identifier", user}, {"service_tier", service_tier},
    {"modalities", only_text}, {"verbosity", only_medium},
    {"frequency_penalty", translate_only_nothing}, {"presence_penalty", translate_only_nothing},
    {"logprobs", translate_only_nothing}, {"top_logprobs", translate_only_nothing}, {"logit_bias", translate_only_nothing},
    {"metadata", translate_only_nothing}, {"store", translate_only_nothing},
};

enum weir_err translate_to_messages(const json_t *chat, json_t **out, struct translate_fault *fault)
{
    struct translation t = {.there = "Anthropic's", .from = chat, .to = json_object(), .fault = fault,
                            .system = sb_make(TRANSLATE_TEXT_MAX)};
    enum weir_err e = translate_members(&t, rules, sizeof rules / sizeof *rules);
    json_t *system = translate_text(&t.system);

    *out = NULL;
    if (!e && json_array_size(t.messages) == 0)
        e = translate_must(&t, "messages", "more than system texts");
    if (system)
        json_object_set_new(t.to, "system", system);
    if (e)
        json_decref(t.to);
    else
        *out = t.to;
    return e;
}
