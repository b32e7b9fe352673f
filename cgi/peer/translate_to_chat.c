/* translate_to_chat.c - Anthropic's Messages as OpenAI's Chat Completions.
 *
 * What a user's turn brings of results becomes messages of the role `tool`, in
 * the order it stands there; marks for caches are left out. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "peer/translate_impl.h"

/* What a block may have, of whatever type: the rest would be lost, such as a document's context or its citations. A mark for a
 * cache and who called a tool change nothing. */
static enum weir_err check_block(struct translation *t, const char *at, const json_t *block)
{
    static const char *const known[] = {"type", "text", "source", "title", "tool_use_id", "content", "is_error", "id", "name", "input",
                                        "cache_control", "caller"};

    return translate_known(t, at, block, known, sizeof known / sizeof *known);
}

/* --- blocks of a user's turn --- */

static json_t *text_part(const char *text)
{
    return json_pack("{s:s, s:s}", "type", "text", "text", text);
}

/* data:TYPE;base64,… of a source in base64; NULL: it is of another kind. */
static json_t *data_of(const json_t *source)
{
    const char *type = json_str(source, "media_type", NULL), *data = json_str(source, "data", NULL);

    if (strcmp(json_str(source, "type", ""), "base64") != 0 || !type || !data)
        return NULL;
    return json_sprintf("data:%s;base64,%s", type, data);
}

static enum weir_err image(struct translation *t, const char *at, const json_t *block, json_t *parts)
{
    const json_t *source = json_object_get(block, "source");
    const char *address = strcmp(json_str(source, "type", ""), "url") == 0 ? json_str(source, "url", NULL) : NULL;
    json_t *url = address ? json_string(address) : data_of(source);

    if (!url)
        return translate_nothing_like(t, at);
    json_array_append_new(parts, json_pack("{s:s, s:{s:o}}", "type", "image_url", "image_url", "url", url));
    return WEIR_OK;
}

static enum weir_err document(struct translation *t, const char *at, const json_t *block, json_t *parts)
{
    const json_t *source = json_object_get(block, "source");
    json_t *data;

    if (strcmp(json_str(source, "type", ""), "text") == 0 && json_str(source, "data", NULL)) {
        json_array_append_new(parts, text_part(json_str(source, "data", "")));
        return WEIR_OK;
    }
    data = data_of(source);
    if (!data)
        return translate_nothing_like(t, at);
    json_array_append_new(parts, json_pack("{s:s, s:{s:s, s:o}}", "type", "file", "file",
                                           "filename", json_str(block, "title", "document.pdf"), "file_data", data));
    return WEIR_OK;
}

/* One text alone is a string: what every server takes. Takes `parts`, and leaves an empty list. */
static void flush_parts(struct translation *t, json_t **parts)
{
    const json_t *first = json_array_get(*parts, 0);
    const char *text = json_str(first, "text", NULL);

    if (json_array_size(*parts) == 1 && text)
        json_array_append_new(t->messages, json_pack("{s:s, s:s}", "role", "user", "content", text));
    else if (json_array_size(*parts) > 0)
        json_array_append_new(t->messages, json_pack("{s:s, s:O}", "role", "user", "content", *parts));
    json_decref(*parts);
    *parts = json_array();
}

/* OpenAI has no word for a failure: the text says it. */
static enum weir_err tool_result(struct translation *t, const char *at, const json_t *block)
{
    const char *id = translate_string(t, block, at, "tool_use_id");
    const json_t *said = json_object_get(block, "content");
    struct sb text = sb_make(TRANSLATE_TEXT_MAX);
    char path[TRANSLATE_PATH];
    enum weir_err e = WEIR_OK;
    json_t *content;

    if (!id)
        return WEIR_E_INVALID_FIELD;
    translate_path(path, at, "content", -1);
    if (json_is_true(json_object_get(block, "is_error")))
        sb_puts(&text, "Error: ");
    if (said && !json_is_null(said))
        e = translate_texts(t, path, said, "\n", &text);
    content = translate_text(&text);
    if (!content)
        content = json_string("");
    if (!e)
        json_array_append_new(t->messages, json_pack("{s:s, s:s, s:O}", "role", "tool", "tool_call_id", id, "content", content));
    json_decref(content);
    return e;
}

static enum weir_err user_block(struct translation *t, const char *at, const json_t *block, json_t **parts)
{
    const char *type = json_str(block, "type", ""), *text;
    enum weir_err e = check_block(t, at, block);

    if (e)
        return e;
    if (strcmp(type, "text") == 0) {
        text = translate_string(t, block, at, "text");
        if (!text)
            return WEIR_E_INVALID_FIELD;
        json_array_append_new(*parts, text_part(text));
        return WEIR_OK;
    }
    if (strcmp(type, "image") == 0)
        return image(t, at, block, *parts);
    if (strcmp(type, "document") == 0)
        return document(t, at, block, *parts);
    if (strcmp(type, "tool_result") != 0)
        return *type ? translate_nothing_like(t, at) : translate_must(t, at, "a block with a type");
    flush_parts(t, parts);
    return tool_result(t, at, block);
}

static enum weir_err user(struct translation *t, const char *at, const json_t *v)
{
    json_t *parts;
    enum weir_err e = WEIR_OK;

    if (json_is_string(v)) {
        json_array_append_new(t->messages, json_pack("{s:s, s:s}", "role", "user", "content", json_string_value(v)));
        return WEIR_OK;
    }
    if (!json_is_array(v))
        return translate_must(t, at, "a string or a list of blocks");
    parts = json_array();
    for (size_t i = 0; !e && i < json_array_size(v); i++) {
        char path[TRANSLATE_PATH];

        translate_path(path, at, "", (int)i);
        e = user_block(t, path, json_array_get(v, i), &parts);
    }
    flush_parts(t, &parts);
    json_decref(parts);
    return e;
}

/* --- an assistant's --- */

static enum weir_err tool_use(struct translation *t, const char *at, const json_t *block, json_t *calls)
{
    const char *id = translate_string(t, block, at, "id"), *name = id ? translate_string(t, block, at, "name") : NULL;
    const json_t *input = json_object_get(block, "input");
    char path[TRANSLATE_PATH];
    json_t *arguments;
    char *text;

    if (!name)
        return WEIR_E_INVALID_FIELD;
    translate_path(path, at, "input", -1);
    if (!json_is_object(input))
        return translate_must(t, path, "an object");
    text = json_dumps(input, JSON_COMPACT);
    arguments = json_string(text);
    free(text);
    json_array_append_new(calls, json_pack("{s:s, s:s, s:{s:s, s:o}}", "id", id, "type", "function",
                                           "function", "name", name, "arguments", arguments));
    return WEIR_OK;
}

static enum weir_err assistant_block(struct translation *t, const char *at, const json_t *block, struct sb *text, json_t *calls)
{
    const char *type = json_str(block, "type", ""), *s;
    enum weir_err e;

    if (strcmp(type, "thinking") == 0 || strcmp(type, "redacted_thinking") == 0)
        return WEIR_OK;                              /* of use to nobody but who signed them */
    e = check_block(t, at, block);
    if (e)
        return e;
    if (strcmp(type, "tool_use") == 0)
        return tool_use(t, at, block, calls);
    if (strcmp(type, "text") != 0)
        return *type ? translate_nothing_like(t, at) : translate_must(t, at, "a block with a type");
    s = translate_string(t, block, at, "text");
    if (!s)
        return WEIR_E_INVALID_FIELD;
    sb_puts(text, s);
    return WEIR_OK;
}

static enum weir_err assistant(struct translation *t, const char *at, const json_t *v)
{
    struct sb text = sb_make(TRANSLATE_TEXT_MAX);
    json_t *calls = json_array(), *content;
    enum weir_err e = json_is_string(v) || json_is_array(v) ? WEIR_OK : translate_must(t, at, "a string or a list of blocks");

    if (json_is_string(v))
        sb_puts(&text, json_string_value(v));
    for (size_t i = 0; !e && i < json_array_size(v); i++) {
        char path[TRANSLATE_PATH];

        translate_path(path, at, "", (int)i);
        e = assistant_block(t, path, json_array_get(v, i), &text, calls);
    }
    content = translate_text(&text);
    if (!e && (content || json_array_size(calls)))
        json_array_append_new(t->messages, json_pack("{s:s, s:O?, s:O*}", "role", "assistant", "content", content,
                                                     "tool_calls", json_array_size(calls) ? calls : NULL));
    json_decref(content);
    json_decref(calls);
    return e;
}

/* --- messages --- */

static enum weir_err system_text(struct translation *t, const char *at, const json_t *v, bool first)
{
    struct sb text = sb_make(TRANSLATE_TEXT_MAX);
    enum weir_err e = translate_texts(t, at, v, "\n\n", &text);
    json_t *content = translate_text(&text), *m;

    if (!e && content) {
        m = json_pack("{s:s, s:O}", "role", "system", "content", content);
        if (first)
            json_array_insert_new(t->messages, 0, m);
        else
            json_array_append_new(t->messages, m);
    }
    json_decref(content);
    return e;
}

static enum weir_err system_member(struct translation *t, const char *at, const json_t *v)
{
    return system_text(t, at, v, true);
}

static enum weir_err messages(struct translation *t, const char *at, const json_t *v)
{
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < json_array_size(v); i++) {
        const json_t *m = json_array_get(v, i), *content = json_object_get(m, "content");
        char path[TRANSLATE_PATH], inside[TRANSLATE_PATH];
        const char *role;

        translate_path(path, "", at, (int)i);
        translate_path(inside, path, "content", -1);
        role = translate_string(t, m, path, "role");
        if (!role)
            return WEIR_E_INVALID_FIELD;
        if (strcmp(role, "user") == 0)
            e = user(t, inside, content);
        else if (strcmp(role, "assistant") == 0)
            e = assistant(t, inside, content);
        else if (strcmp(role, "system") == 0)
            e = system_text(t, inside, content, false);
        else
            e = translate_must(t, path, "of the role user, assistant or system");
    }
    return e;
}

/* --- the other members --- */

static enum weir_err stop_sequences(struct translation *t, const char *at, const json_t *v)
{
    enum { STOPS_MAX = 4 };

    if (json_array_size(v) > STOPS_MAX)
        return translate_must(t, at, "a list of at most 4 for this model");
    if (json_array_size(v))
        json_object_set_new(t->to, "stop", json_deep_copy(v));
    return WEIR_OK;
}

/* A tool that runs at Anthropic, or something said of one that OpenAI has no word for. */
static enum weir_err check_tool(struct translation *t, const char *at, const json_t *tool)
{
    static const char *const known[] = {"name", "description", "input_schema", "strict", "type", "cache_control",
                                        "eager_input_streaming"};      /* how finely it is cut: of no consequence */

    if (strcmp(json_str(tool, "type", "custom"), "custom") != 0)
        return translate_nothing_like(t, at);
    return translate_known(t, at, tool, known, sizeof known / sizeof *known);
}

static enum weir_err tools(struct translation *t, const char *at, const json_t *v)
{
    json_t *out = json_array();

    if (json_array_size(v))
        json_object_set(t->to, "tools", out);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *tool = json_array_get(v, i);
        char path[TRANSLATE_PATH];
        const char *name;
        enum weir_err e;

        translate_path(path, "", at, (int)i);
        e = check_tool(t, path, tool);
        name = e ? NULL : translate_string(t, tool, path, "name");
        if (!name) {
            json_decref(out);
            return WEIR_E_INVALID_FIELD;
        }
        json_array_append_new(out, json_pack("{s:s, s:{s:s, s:s*, s:o*, s:o*}}", "type", "function", "function", "name", name,
                                             "description", json_str(tool, "description", NULL),
                                             "parameters", json_deep_copy(json_object_get(tool, "input_schema")),
                                             "strict", json_is_true(json_object_get(tool, "strict")) ? json_true() : NULL));
    }
    json_decref(out);
    return WEIR_OK;
}

static enum weir_err tool_choice(struct translation *t, const char *at, const json_t *v)
{
    static const char *const words[][2] = {{"none", "none"}, {"auto", "auto"}, {"any", "required"}};
    const char *type = json_str(v, "type", ""), *name;

    if (json_is_true(json_object_get(v, "disable_parallel_tool_use")))
        json_object_set_new(t->to, "parallel_tool_calls", json_false());
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], type) == 0) {
            json_object_set_new(t->to, at, json_string(words[i][1]));
            return WEIR_OK;
        }
    if (strcmp(type, "tool") != 0)
        return translate_nothing_like(t, at);
    name = translate_string(t, v, at, "name");
    if (!name)
        return WEIR_E_INVALID_FIELD;
    json_object_set_new(t->to, at, json_pack("{s:s, s:{s:s}}", "type", "function", "function", "name", name));
    return WEIR_OK;
}

/* An effort that is said wins over a budget of thought. */
static enum weir_err thinking(struct translation *t, const char *at, const json_t *v)
{
    enum { LOW_MAX = 4096, MEDIUM_MAX = 16384 };
    const char *type = json_str(v, "type", "");
    int64_t budget = json_int(v, "budget_tokens", 0);

    if (strcmp(type, "adaptive") == 0 || strcmp(type, "disabled") == 0)
        return WEIR_OK;
    if (strcmp(type, "enabled") != 0)
        return translate_nothing_like(t, at);
    if (!json_object_get(t->to, "reasoning_effort"))
        json_object_set_new(t->to, "reasoning_effort", json_string(budget <= LOW_MAX ? "low" : budget <= MEDIUM_MAX ? "medium" : "high"));
    return WEIR_OK;
}

static enum weir_err output_config(struct translation *t, const char *at, const json_t *v)
{
    const json_t *format = json_object_get(v, "format"), *schema = json_object_get(format, "schema");
    const char *effort = json_str(v, "effort", NULL), *name;
    json_t *member;

    json_object_foreach((json_t *)(uintptr_t)v, name, member) {
        char path[TRANSLATE_PATH];

        translate_path(path, at, name, -1);
        if (strcmp(name, "effort") != 0 && strcmp(name, "format") != 0)
            return translate_nothing_like(t, path);
    }
    if (effort)
        json_object_set_new(t->to, "reasoning_effort", json_string(effort));
    if (!format || json_is_null(format))
        return WEIR_OK;
    if (strcmp(json_str(format, "type", ""), "json_schema") != 0)
        return translate_nothing_like(t, "output_config.format");
    if (!json_is_object(schema))
        return translate_must(t, "output_config.format.schema", "a JSON schema");
    json_object_set_new(t->to, "response_format", json_pack("{s:s, s:{s:s, s:b, s:o}}", "type", "json_schema", "json_schema",
                                                            "name", "answer", "strict", 1, "schema", json_deep_copy(schema)));
    return WEIR_OK;
}

static enum weir_err metadata(struct translation *t, const char *at, const json_t *v)
{
    const char *user_id = json_str(v, "user_id", NULL);

    if (json_object_size(v) > (user_id ? 1u : 0u))
        return translate_nothing_like(t, at);
    if (user_id)
        json_object_set_new(t->to, "user", json_string(user_id));
    return WEIR_OK;
}

static enum weir_err service_tier(struct translation *t, const char *at, const json_t *v)
{
    const char *word = json_is_string(v) ? json_string_value(v) : "";

    if (strcmp(word, "auto") != 0 && strcmp(word, "standard_only") != 0)
        return translate_nothing_like(t, at);
    json_object_set_new(t->to, at, json_string(strcmp(word, "auto") == 0 ? "auto" : "default"));
    return WEIR_OK;
}

static enum weir_err only_standard(struct translation *t, const char *at, const json_t *v)
{
    return json_is_string(v) && strcmp(json_string_value(v), "standard") == 0 ? WEIR_OK : translate_nothing_like(t, at);
}

/* None at all: only a cache is to be filled. */
static enum weir_err max_tokens(struct translation *t, const char *at, const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) == 0 ? translate_nothing_like(t, at) : WEIR_OK;
}

static const struct translate_rule rules[] = {
    {"model", NULL}, {"max_tokens", max_tokens}, {"cache_control", NULL},
    {"system", system_member}, {"messages", messages}, {"stream", NULL}, {"temperature", translate_same}, {"top_p", translate_same}, {"stop_sequences", stop_sequences},
    {"tools", tools}, {"tool_choice", tool_choice}, {"thinking", thinking}, {"output_config", output_config},
    {"metadata", metadata}, {"service_tier", service_tier}, {"speed", only_standard},
};

enum weir_err translate_to_chat(const json_t *from, json_t **out, struct translate_fault *fault)
{
    struct translation t = {.there = "OpenAI's", .from = from, .to = json_object(), .messages = json_array(), .fault = fault};
    enum weir_err e;

    json_object_set_new(t.to, "messages", t.messages);
    e = translate_members(&t, rules, sizeof rules / sizeof *rules);
    *out = NULL;
    if (e)
        json_decref(t.to);
    else
        *out = t.to;
    return e;
}
