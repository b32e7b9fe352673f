/* fuzz_request.c - the body of a chat request: what is accepted keeps to the
 * limits, and reaches the provider word for word. */
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "peer/openai.h"
#include "web/ask.h"
#include "web/title.h"

const size_t fuzz_neighbours = 1000;

enum { TURNS_MAX = ASK_MESSAGES_MAX + 2 };

static int depth_of(const json_t *v)
{
    int deepest = 0, d;
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)v, key, member)
        deepest = (d = depth_of(member)) > deepest ? d : deepest;
    json_array_foreach(v, i, member)
        deepest = (d = depth_of(member)) > deepest ? d : deepest;
    return json_is_object(v) || json_is_array(v) ? deepest + 1 : deepest;
}

/* Written and read again it is the same value. */
static void check_same(const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT), why[160];
    json_t *again;

    must(depth_of(v) <= json_limits_own.max_depth);
    must(text && json_parse_object(text, strlen(text), &json_limits_own, &again, why) == WEIR_OK);
    must(json_equal(v, again));
    json_decref(again);
    free(text);
}

static size_t turns_of(const struct chat_ask *a, struct openai_turn *turns)
{
    size_t n = 0, i;
    json_t *m;

    if (a->system)
        turns[n++] = (struct openai_turn){"system", a->system};
    json_array_foreach(a->messages, i, m)
        turns[n++] = (struct openai_turn){json_str(m, "role", ""), json_str(m, "content", "")};
    if (a->message)
        turns[n++] = (struct openai_turn){"user", a->message};
    return n;
}

static void check_sent(const struct chat_ask *a)
{
    static struct openai_turn turns[TURNS_MAX];
    size_t n = turns_of(a, turns);
    struct openai_options o = {.stream = true, .temperature = a->temperature, .top_p = a->top_p, .stop = a->stop};
    struct sb out = sb_make(1 << 24), title = sb_make(1 << 20);
    char why[160];
    json_t *sent, *messages;

    must(n > 0 && strcmp(turns[n - 1].role, "user") == 0);
    openai_request(&out, "gpt-4o-mini", turns, n, &o);
    sb_putc(&out, '}');
    must(sb_ok(&out) && json_parse_object(sb_str(&out), out.len, &json_limits_compat, &sent, why) == WEIR_OK);
    messages = json_object_get(sent, "messages");
    must(json_array_size(messages) == n);
    for (size_t i = 0; i < n; i++) {
        must(strcmp(json_str(json_array_get(messages, i), "role", ""), turns[i].role) == 0);
        must(strcmp(json_str(json_array_get(messages, i), "content", ""), turns[i].text) == 0);
    }
    must(!a->stop || json_is_null(a->stop) || json_equal(a->stop, json_object_get(sent, "stop")));
    must(json_is_true(json_object_get(sent, "stream")));
    title_put(&title, turns[n - 1].text, TITLE_CHARS);
    must(utf8_valid(sb_str(&title), title.len) == title.len && utf8_count(sb_str(&title), title.len) <= TITLE_CHARS + 1);
    for (size_t i = 0; i < title.len; i++)
        must((unsigned char)title.p[i] >= ' ' && title.p[i] != 0x7f);
    json_decref(sent);
    sb_done(&out);
    sb_done(&title);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct field_fault fault = {.param = ""};
    struct chat_ask a;
    char why[160] = "", *text = malloc(n ? n : 1);
    json_t *body;
    enum weir_err e;

    memcpy(text, data, n);
    e = json_parse_object(text, n, &json_limits_own, &body, why);
    must((e == WEIR_OK) == (body != NULL) && (!e || *why));
    if (body) {
        check_same(body);
        e = ask_read(body, &a, &fault);
        if (e) {
            must(*fault.why && utf8_valid(fault.why, strlen(fault.why)) > 0);
            must(err_status(e) == 400);
        } else {
            must(!a.message != !a.messages);
            must(a.max_tokens >= 0 && a.max_tokens <= ASK_MAX_TOKENS_MAX);
            must(json_object_size(a.metadata) <= ASK_METADATA_MAX && json_array_size(a.messages) <= ASK_MESSAGES_MAX);
            check_sent(&a);
        }
    }
    json_decref(body);
    free(text);
    return 0;
}
