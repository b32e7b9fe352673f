/* settle.c - what a call used, what it cost, how long each part of it took. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "flow/engine_impl.h"
#include "rules/plausible.h"

enum { COUNTED_BYTES = 16 * 1024 };

/* Tokens of text that passed. A long text is counted by its beginning, so that the engine is never busy for long. */
static int64_t count_text(const struct job *j, const struct sb *raw)
{
    size_t n = raw->len < COUNTED_BYTES ? raw->len : COUNTED_BYTES;
    int64_t tokens;

    if (n == 0)
        return 0;
    tokens = tokens_count_for(&j->tokens, sb_str(raw), n);
    return n == raw->len ? tokens : (int64_t)((double)tokens * (double)raw->len / (double)n);
}

int64_t settle_output(const struct job *j)
{
    enum { BYTES_PER_TOKEN = 4 };     /* of what is not kept */

    return count_text(j, &j->answer) + count_text(j, &j->reasoning) + (j->unshown_bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
}

/* A provider bills the prompt of a call it did not refuse, also when the answer never came. */
static bool prompt_was_taken(const struct job *j)
{
    const struct job_attempt *a = j->attempt;

    if (j->first_us || !a)
        return j->first_us;
    if (a->head.status >= 300 || a->reply.error.set)
        return false;
    return a->head.status == 200 || a->failed == WEIR_E_UPSTREAM_TIMEOUT || j->end.status == CALL_CANCELLED;
}

/* A token is between one byte and six of most text; a figure in between needs no count. */
static bool looks_right(const struct job *j, int64_t completion)
{
    int64_t bytes = (int64_t)(j->answer.len + j->reasoning.len) + j->unshown_bytes;

    return completion >= bytes / 6 && completion <= bytes;
}

/* What this usage cost at the upstream it went to; false: nobody knows. */
static bool cost_of(const struct engine *e, const struct job *j, const struct usage_tokens *u, struct cost *c)
{
    const struct price *p;

    *c = (struct cost){0};
    if (j->wire == WIRE_COUNT_TOKENS || (j->builtin_reply && !e->up[j->grant.upstream]))
        return true;                                    /* free is a price */
    p = j->attempt && j->attempt->reply.has_service ? price_for(j->price, j->attempt->reply.service) : j->price;
    return p && price_cost(p, u, c);
}

/* OpenRouter chooses among providers with prices of their own: what it says it charges is the cost, whatever the table has.
 * Others use the member for other things. */
static bool says_its_cost(const struct engine *e, const struct job *j)
{
    const struct upstream_settings *u = &e->s->upstreams[j->grant.upstream];

    return j->attempt && j->attempt->reply.has_cost && !j->estimated &&
           (strcmp(u->name, "openrouter") == 0 || (u->base_url && strstr(u->base_url, "://openrouter.ai/")));
}

/* Input's part of the charge is what it is of the table's price, or of the tokens where there is none. */
static void take_said_cost(const struct job *j, struct cost *c)
{
    int64_t said = j->attempt->reply.cost, in = c->total > 0 ? c->input : j->usage.prompt,
            all = c->total > 0 ? c->total : j->usage.prompt + j->usage.completion;

    c->input = all > 0 ? (int64_t)((__int128)said * in / all) : said;
    c->output = said - c->input;
    c->total = said;
}

/* What the attempt that runs has come to, into its row. */
static void fill_row(struct engine *e, struct job *j)
{
    struct call_attempt *row = &j->rec.attempts[j->rec.attempt_count - 1];
    struct cost c;

    row->usage = j->usage;
    row->estimated = j->estimated;
    row->priced = cost_of(e, j, &j->usage, &c);
    if (says_its_cost(e, j)) {
        take_said_cost(j, &c);
        row->priced = true;
    }
    row->cost_in = c.input;
    row->cost_out = c.output;
    if (c.rate_in || c.rate_out) {
        j->rec.cost.rate_in = c.rate_in;
        j->rec.cost.rate_out = c.rate_out;
    }
}

static void add_usage(struct usage_tokens *to, const struct usage_tokens *u)
{
    to->prompt += u->prompt;
    to->cached += u->cached;
    to->cache_write += u->cache_write;
    to->cache_write_1h += u->cache_write_1h;
    to->completion += u->completion;
    to->reasoning += u->reasoning;
    to->units += u->units;
}

void settle_merge(struct call_attempt *to, const struct call_attempt *from)
{
    add_usage(&to->usage, &from->usage);
    to->estimated = to->estimated || from->estimated;
    to->cost_in += from->cost_in;
    to->cost_out += from->cost_out;
}

void settle_sum(struct job *j)
{
    struct call_record *r = &j->rec;

    r->usage = (struct usage_tokens){0};
    r->cost.input = r->cost.output = 0;
    r->estimated = false;
    for (int i = 0; i < r->attempt_count; i++) {
        const struct call_attempt *row = &r->attempts[i];

        add_usage(&r->usage, &row->usage);
        r->cost.input += row->cost_in;
        r->cost.output += row->cost_out;
        r->estimated = r->estimated || row->estimated;
    }
    r->cost.total = r->cost.input + r->cost.output;
}

void settle_usage(struct engine *e, struct job *j)
{
    struct usage_claim c = {.own_prompt = j->rec.prompt_tokens_counted, .context = j->price ? j->price->context : 0};
    struct usage_finding f;

    if (j->shared || (j->state != JOB_CONNECTING && j->state != JOB_STREAMING))
        return;
    if (j->lease) {
        j->usage = j->lease->used;
        j->estimated = j->lease->estimated;
        fill_row(e, j);
        return;
    }
    if (j->attempt) {
        c.has_prompt = j->attempt->reply.has_prompt;
        c.has_completion = j->attempt->reply.has_completion;
        c.said = j->attempt->reply.usage;
    } else if (j->builtin_reply) {
        bool whole = j->builtin_reply[j->builtin_at] == '\0';

        c.has_prompt = true;
        c.has_completion = whole;
        c.said = (struct usage_tokens){.prompt = c.own_prompt, .completion = j->builtin_tokens};
    }
    if (!c.has_prompt && !c.has_completion && !prompt_was_taken(j)) {
        fill_row(e, j);
        return;
    }
    c.own_completion = c.has_completion && looks_right(j, c.said.completion)
                           ? c.said.completion : settle_output(j);
    f = usage_believe(&c);
    j->usage = f.usage;
    j->estimated = f.estimated;
    j->suspect = j->suspect || f.suspect;
    fill_row(e, j);
}

/* What held it, in whole milliseconds: each ends where the running sum does, so that with what is left they sum to all
 * that it waited. */
static void fill_wait(const struct job *j, struct call_record *r)
{
    const struct admit_wait *w = &j->grant.wait;
    int64_t sum_us = 0, before = 0;

    for (int g = 0; g < GATE_COUNT; g++) {
        int64_t cut = (sum_us += w->held_us[g]) / USEC_PER_MS * USEC_PER_MS;

        r->held_us[g] = cut - before;
        before = cut;
    }
    r->promised_ms = w->promised_position ? (w->promised_us - j->ask.arrived_us) / USEC_PER_MS : -1;
    r->promised_position = w->promised_position;
}

/* The boundaries between the parts are cut to milliseconds once, so that the parts sum to the whole in every unit. */
void settle_times(const struct job *j, int64_t end, struct call_record *r)
{
    int64_t from = j->ask.arrived_us;
    int64_t first_sent = j->first_sent_us ? j->first_sent_us : end;
    int64_t sent = j->sent_us ? j->sent_us : end;
    int64_t first = j->first_us ? j->first_us : end;
    int64_t at[4] = {first_sent - from, sent - from, first - from, end - from}, before = 0;
    int64_t *part[4] = {&r->queue_us, &r->retry_wait_us, &r->ttft_us, &r->writing_us};

    if (j->failed_us > sent)                            /* it ended while waiting for another try */
        at[1] = at[2] = end - from;
    for (int i = 0; i < 4; i++) {
        int64_t cut = at[i] / USEC_PER_MS * USEC_PER_MS;

        *part[i] = cut - before;
        before = cut;
    }
    r->duration_us = before;
    fill_wait(j, r);
}

/* The raw form stays for the client. */
char *settle_text(const struct sb *raw, int64_t *bytes)
{
    char *text;

    *bytes = 0;
    if (raw->len == 0)
        return NULL;
    text = malloc(raw->len + 1);
    if (!text) {
        log_error("settle: no memory for an answer of %zu bytes; it is not kept", raw->len);
        return NULL;
    }
    *bytes = (int64_t)span_decode((struct span){sb_str(raw), raw->len}, text);
    text[*bytes] = '\0';
    return text;
}

void settle_fill(struct engine *e, struct job *j)
{
    struct call_record *r = &j->rec;
    struct cost never;

    r->status = j->end.status;
    r->finish_reason = j->end.finish;
    r->error_code = j->end.err ? err_code(j->end.err) : NULL;
    settle_sum(j);
    r->usage_suspect = j->suspect;
    if (r->from_cache)
        r->cost.priced = true;       /* at nothing */
    else if (r->attempt_count > 0)
        r->cost.priced = r->attempts[r->attempt_count - 1].priced;
    else
        r->cost.priced = j->candidates || cost_of(e, j, &r->usage, &never);      /* it was never sent */
    settle_times(j, j->ended_us, r);
    r->ended_at_ms = clock_utc_ms();
    r->answer = j->answer_text = settle_text(&j->answer, &r->answer_bytes);
    r->reasoning = j->reasoning_text = settle_text(&j->reasoning, &r->reasoning_bytes);
    if (!r->answer && j->end.status == CALL_SUCCESS && !r->operation)
        r->answer = "";
    r->end_metadata = j->lease ? j->lease->metadata : NULL;
    r->answer_chars = r->answer && !r->from_cache ? utf8_count(r->answer, (size_t)r->answer_bytes) : 0;
}
