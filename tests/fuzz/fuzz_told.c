/* fuzz_told.c - what a provider tells beside its answer: status and headers,
 * errors, usage. Whatever it says, waits and limits are in range, what is
 * believed adds up, and nothing costs less than nothing. */
#include <string.h>

#include "fuzz.h"
#include "peer/openai.h"
#include "rules/plausible.h"
#include "rules/price.h"

const size_t fuzz_neighbours = 2000;

#define DAY_US INT64_C(86400000000)
static const int64_t now_ms = INT64_C(1795327200000);

static void check_head(struct provider_head *head, const char *p, size_t n)
{
    head_init(head);
    for (size_t at = 0; at < n;) {
        const char *lf = memchr(p + at, '\n', n - at);
        size_t line = lf ? (size_t)(lf - p) - at + 1 : n - at;

        if (!head_line(head, p + at, line, now_ms))
            break;
        at += line;
    }
    must(head->retry_after_us >= -1 && head->retry_after_us <= DAY_US);
    must(head->status >= 0 && head->status <= 999);      /* libcurl lets none below 100 through */
    must(memchr(head->request_id, '\0', sizeof head->request_id));
    for (const char *c = head->request_id; *c; c++)
        must(*c > ' ' && *c <= '~');
    for (int d = 0; head->has_word && d < DIM_COUNT; d++)
        must(head->word.limit[d] >= -1 && head->word.remaining[d] >= -1 && head->word.reset_us[d] >= -1);
}

static void check_error(const struct provider_error *e, const struct provider_head *head)
{
    struct provider_verdict v = openai_judge(head->status, e, head);

    must(memchr(e->type, '\0', sizeof e->type) && memchr(e->code, '\0', sizeof e->code) && memchr(e->message, '\0', sizeof e->message));
    must(v.err != WEIR_OK);
    must(v.retry_after_us >= -1 && v.retry_after_us <= DAY_US);
    must(v.dim >= 0 && v.dim <= DIM_COUNT);
    /* The caller's mistake is not tried again; what is, and may be told, is the provider's. */
    must(!(v.retry && v.pass_message) || v.fault == FAULT_SERVER || v.fault == FAULT_OVERLOADED);
}

static void nothing(void *ctx, const char *raw, size_t n)
{
    (void)ctx, (void)raw, (void)n;
}

static void check_usage(const struct provider_reply *r)
{
    static const struct price price = {.tiers = 2, .tier = {{.in = 150000, .out = 600000, .cache_read = 75000, .cache_write = -1,
                                       .cache_write_1h = -1}, {.above = 1000, .in = 7, .out = 11, .cache_read = -1, .cache_write = 9,
                                       .cache_write_1h = -1}}};
    static const int64_t windows[] = {0, 1, 8192, 1000000};

    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        struct usage_claim c = {.has_prompt = r->has_prompt, .has_completion = r->has_completion, .said = r->usage,
                                .own_prompt = 100, .own_completion = 17, .context = windows[i]};
        struct usage_finding f = usage_believe(&c);
        const struct usage_tokens *u = &f.usage;
        struct cost cost;

        must(u->cached >= 0 && u->cache_write >= 0 && u->cache_write_1h >= 0 && u->reasoning >= 0);
        must(u->cached + u->cache_write + u->cache_write_1h <= u->prompt && u->reasoning <= u->completion);
        must(!windows[i] || (u->prompt <= 10 * windows[i] || u->prompt == 100));
        must(f.suspect || f.estimated || (u->prompt == c.said.prompt && u->completion == c.said.completion));
        if (!price_cost(&price, u, &cost)) {
            must(cost.total == 0);
            continue;
        }
        must(cost.input >= 0 && cost.output >= 0 && cost.total == cost.input + cost.output);
        must(cost.fresh + cost.cached + cost.cache_write == cost.input && cost.visible + cost.reasoning == cost.output);
    }
    must(!r->has_cost || (r->cost >= 0 && r->cost <= INT64_C(1000000) * 1000000000000));
}

/* Header lines, an empty one, a body; the input may lack any of them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct provider_sink sink = {nothing, nothing, NULL, NULL};
    struct provider_head head;
    struct provider_error error = {0};
    struct provider_reply reply = {0};
    char *text = malloc(n ? n : 1), *body;
    size_t head_n;

    memcpy(text, data, n);
    body = memmem(text, n, "\n\n", 2);
    head_n = body ? (size_t)(body - text) + 1 : n;
    check_head(&head, text, head_n);
    body = body ? body + 2 : text;
    openai_read_error(&error, body, n - (size_t)(body - text));
    check_error(&error, &head);
    if (!openai_read(&reply, body, n - (size_t)(body - text), &sink) && reply.error.set)
        check_error(&reply.error, &head);
    check_usage(&reply);
    free(text);
    return 0;
}
