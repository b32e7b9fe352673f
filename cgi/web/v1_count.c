/* v1_count.c - OpenAI's own overhead is not published but known by comparison
 * with what it bills; what follows no known pattern counts as its compact JSON. */
#include "web/v1_count.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/sb.h"
#include "rules/image.h"

enum { ANSWER_BEGINS = 3, MESSAGE = 3, TOOLS_END = 12 };

static int64_t count_text(const struct tokens_model *m, const char *s)
{
    return s ? tokens_count_for(m, s, strlen(s)) : 0;
}

static int64_t count_json(const struct tokens_model *m, const json_t *v)
{
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    int64_t n = count_text(m, text);

    free(text);
    return n;
}

/* --- contents --- */

static int64_t count_image(const char *model, const char *url, const char *detail)
{
    const char *data = url ? image_data_url(url) : NULL;
    int64_t w = 1, h = 1;
    bool low = strcmp(detail, "low") == 0;

    if (!low && (!data || !image_size(data, strlen(data), &w, &h)))
        return IMAGE_TOKENS_UNKNOWN;
    return image_tokens_tiles(model, w, h, low);
}

/* Of Chat Completions or Responses: their types have different names and are else alike. */
static int64_t count_part(const struct tokens_model *m, const char *model, const json_t *part)
{
    const json_t *image = json_object_get(part, "image_url");
    const char *type = json_str(part, "type", "");

    if (json_is_object(image))
        return count_image(model, json_str(image, "url", NULL), json_str(image, "detail", ""));
    if (image || strcmp(type, "input_image") == 0)
        return count_image(model, json_string_value(image), json_str(part, "detail", ""));
    if (strcmp(type, "input_audio") == 0 || strcmp(type, "file") == 0 || strcmp(type, "input_file") == 0)
        return IMAGE_TOKENS_UNKNOWN;
    return json_is_string(json_object_get(part, "text")) ? count_text(m, json_str(part, "text", "")) : count_json(m, part);
}

static int64_t count_content(const struct tokens_model *m, const char *model, const json_t *content)
{
    int64_t n = 0;

    if (json_is_string(content))
        return count_text(m, json_string_value(content));
    for (size_t i = 0; i < json_array_size(content); i++)
        n += count_part(m, model, json_array_get(content, i));
    return n;
}

static int64_t count_message(const struct tokens_model *m, const char *model, const json_t *msg)
{
    const json_t *calls = json_object_get(msg, "tool_calls");
    const char *name = json_str(msg, "name", NULL);
    int64_t n = MESSAGE + count_text(m, json_str(msg, "role", "")) + count_content(m, model, json_object_get(msg, "content"));

    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *f = json_object_get(json_array_get(calls, i), "function");

        n += MESSAGE + count_text(m, json_str(f, "name", "")) + count_text(m, json_str(f, "arguments", ""));
    }
    return name ? n + 1 + count_text(m, name) : n;
}

/* --- tools --- */

/* The model reads a function as a declaration: name:description, then its parameters name:type:description. */
static int64_t count_joined(const struct tokens_model *m, const char *a, const char *b, const char *c)
{
    enum { JOINED_MAX = 32 * 1024 * 1024 };
    struct sb text = sb_make(JOINED_MAX);
    size_t n;
    int64_t tokens;

    sb_putf(&text, "%s:%s%s%s", a, b, *c ? ":" : "", c);
    n = text.len;
    while (n > 0 && text.p[n - 1] == '.')
        n--;
    tokens = tokens_count_for(m, sb_str(&text), n);
    sb_done(&text);
    return tokens;
}

static int64_t count_property(const struct tokens_model *m, const char *name, const json_t *p)
{
    const json_t *choices = json_object_get(p, "enum");
    int64_t n = 3;

    if (json_object_get(p, "properties") || json_object_get(p, "items") || !json_is_string(json_object_get(p, "type")))
        return n + count_text(m, name) + count_json(m, p);
    if (choices)
        n -= 3;
    for (size_t i = 0; i < json_array_size(choices); i++)
        n += 3 + count_text(m, json_string_value(json_array_get(choices, i)));
    return n + count_joined(m, name, json_str(p, "type", ""), json_str(p, "description", ""));
}

/* Models of the older encoding read a longer declaration. */
static bool is_old(const char *model)
{
    const char *slash = strrchr(model, '/'), *name = slash ? slash + 1 : model;

    return strncmp(name, "gpt-3", 5) == 0 || strcmp(name, "gpt-4") == 0 || strncmp(name, "gpt-4-", 6) == 0;
}

static int64_t count_function(const struct tokens_model *m, const char *model, const json_t *f)
{
    json_t *properties = json_object_get(json_object_get(f, "parameters"), "properties"), *p;
    int64_t n = is_old(model) ? 10 : 7;
    const char *name;

    n += count_joined(m, json_str(f, "name", ""), json_str(f, "description", ""), "");
    if (json_object_size(properties) > 0)
        n += 3;
    json_object_foreach(properties, name, p)
        n += count_property(m, name, p);
    return n;
}

/* Responses has a function's members beside its type, Chat Completions below `function`. */
static int64_t count_tools(const struct tokens_model *m, const char *model, const json_t *tools)
{
    int64_t n = json_array_size(tools) ? TOOLS_END : 0;

    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *t = json_array_get(tools, i), *f = json_object_get(t, "function");

        if (strcmp(json_str(t, "type", ""), "function") == 0)
            n += count_function(m, model, f ? f : t);
        else
            n += count_json(m, t);
    }
    return n;
}

/* --- whole requests --- */

int64_t v1_count_chat(const struct tokens_model *m, const char *model, const void *body)
{
    const json_t *messages = json_object_get(body, "messages");
    int64_t n = ANSWER_BEGINS + count_tools(m, model, json_object_get(body, "tools"));

    for (size_t i = 0; i < json_array_size(messages); i++)
        n += count_message(m, model, json_array_get(messages, i));
    n += count_json(m, json_object_get(body, "functions"));
    return n + count_json(m, json_object_get(json_object_get(body, "response_format"), "json_schema"));
}

int64_t v1_count_embeddings(const struct tokens_model *m, const char *model, const void *body)
{
    const json_t *input = json_object_get(body, "input");
    int64_t n = 0;

    (void)model;
    if (json_is_string(input))
        return count_text(m, json_string_value(input));
    for (size_t i = 0; i < json_array_size(input); i++) {
        const json_t *one = json_array_get(input, i);

        n += json_is_string(one) ? count_text(m, json_string_value(one)) : json_is_array(one) ? (int64_t)json_array_size(one) : 1;
    }
    return n;
}

int64_t v1_count_responses(const struct tokens_model *m, const char *model, const void *body)
{
    const json_t *input = json_object_get(body, "input");
    int64_t n = ANSWER_BEGINS + MESSAGE + count_text(m, json_str(body, "instructions", "")) + count_tools(m, model, json_object_get(body, "tools"));

    if (json_is_string(input))
        return n + MESSAGE + 1 + count_text(m, json_string_value(input));
    for (size_t i = 0; i < json_array_size(input); i++) {
        const json_t *item = json_array_get(input, i);

        if (json_object_get(item, "content"))
            n += MESSAGE + 1 + count_content(m, model, json_object_get(item, "content"));
        else
            n += MESSAGE + count_json(m, item);
    }
    return n + count_json(m, json_object_get(json_object_get(body, "text"), "format"));
}

/* --- Anthropic's --- */

/* A base64 source is not read as text; its size in pixels says what it is taken for. */
static int64_t count_source(const json_t *source)
{
    const char *data = json_str(source, "data", NULL);
    int64_t w, h;

    return data && image_size(data, strlen(data), &w, &h) ? image_tokens_area(w, h) : IMAGE_TOKENS_UNKNOWN;
}

static int64_t count_blocks(const struct tokens_model *m, const json_t *content);

static int64_t count_block(const struct tokens_model *m, const json_t *block)
{
    const char *type = json_str(block, "type", "");

    if (strcmp(type, "text") == 0)
        return count_text(m, json_str(block, "text", ""));
    if (json_is_object(json_object_get(block, "source")))
        return count_source(json_object_get(block, "source"));
    if (strcmp(type, "tool_result") == 0)
        return MESSAGE + count_blocks(m, json_object_get(block, "content"));
    if (strcmp(type, "tool_use") == 0)
        return MESSAGE + count_text(m, json_str(block, "name", "")) + count_json(m, json_object_get(block, "input"));
    if (strcmp(type, "thinking") == 0)
        return count_text(m, json_str(block, "thinking", ""));
    return count_json(m, block);
}

static int64_t count_blocks(const struct tokens_model *m, const json_t *content)
{
    int64_t n = 0;

    if (json_is_string(content))
        return count_text(m, json_string_value(content));
    for (size_t i = 0; i < json_array_size(content); i++)
        n += count_block(m, json_array_get(content, i));
    return n;
}

int64_t v1_count_messages(const struct tokens_model *m, const char *model, const void *body)
{
    const json_t *messages = json_object_get(body, "messages"), *system = json_object_get(body, "system"),
                 *tools = json_object_get(body, "tools");
    int64_t n = ANSWER_BEGINS + (system ? MESSAGE + 1 + count_blocks(m, system) : 0) + (json_array_size(tools) ? TOOLS_END : 0);

    (void)model;
    for (size_t i = 0; i < json_array_size(messages); i++)
        n += MESSAGE + 1 + count_blocks(m, json_object_get(json_array_get(messages, i), "content"));
    for (size_t i = 0; i < json_array_size(tools); i++)
        n += count_json(m, json_array_get(tools, i));
    return n + count_json(m, json_object_get(json_object_get(body, "output_config"), "format"));
}
