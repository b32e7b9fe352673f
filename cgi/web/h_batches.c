/* h_batches.c - OpenAI's /v1/batches, and pause and resume, which it has not.
 * Unknown members are let pass, as its clients expect, but not those of `weir`. Acceptor threads. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "flow/batch_line.h"
#include "web/ask.h"
#include "web/batch_json.h"
#include "web/batches.h"
#include "web/route.h"

enum { PAGE = 20, PAGE_MAX = 100, METADATA_MAX = 16, BUDGET_MAX_THOUSANDTHS = 2000000000 };

/* --- answers --- */

static enum weir_err put(struct exchange *x, const struct batch_row *b)
{
    struct sb metadata = sb_make(BATCH_TEXT_SIZE), errors = sb_make(BATCH_TEXT_SIZE + 64);
    enum weir_err e = batches_texts(x->db, b->id, &metadata, &errors);

    if (!e)
        batch_json(b, sb_str(&metadata), sb_str(&errors), &x->out.body);
    sb_done(&metadata);
    sb_done(&errors);
    return e;
}

static enum weir_err find(struct exchange *x, const char *batch_id, struct batch_row *b)
{
    enum weir_err e = batches_find(x->db, x->who.user_id, batch_id, b);

    return e == WEIR_E_NOT_FOUND ? web_refuse(x, e, "batch_id", "You have no batch '%.64s'.", batch_id) : e;
}

static enum weir_err show(struct exchange *x, const char *batch_id)
{
    struct batch_row b;
    enum weir_err e = find(x, batch_id, &b);

    if (!e)
        e = put(x, &b);
    sb_putc(&x->out.body, '\n');
    return e;
}

enum weir_err h_batch_get(struct exchange *x)
{
    return show(x, x->arg[0]);
}

enum weir_err h_batches_list(struct exchange *x)
{
    struct batch_row *rows;
    int64_t limit;
    size_t n;
    enum weir_err e = batch_page(x, PAGE, PAGE_MAX, &limit);

    if (e)
        return e;
    rows = mem_zalloc((size_t)limit + 1, sizeof *rows);
    e = batches_list(x->db, x->who.user_id, http_query(&x->in, "after", NULL), limit, rows, &n);
    sb_puts(&x->out.body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; !e && i < n && (int64_t)i < limit; i++) {
        sb_puts(&x->out.body, i ? "," : "");
        e = put(x, &rows[i]);
    }
    if (!e)
        batch_page_end(&x->out.body, n ? rows[0].batch_id : NULL, n ? rows[(int64_t)n > limit ? (size_t)limit - 1 : n - 1].batch_id : NULL, (int64_t)n > limit);
    free(rows);
    return e;
}

/* --- a new one --- */

static enum weir_err read_text(struct exchange *x, const char *name, const char **out)
{
    const json_t *v = json_object_get(x->json, name);

    if (!v || json_is_null(v))
        return web_refuse(x, WEIR_E_MISSING_FIELD, name, "'%s' is missing.", name);
    if (!json_is_string(v))
        return web_refuse(x, WEIR_E_INVALID_FIELD, name, "'%s' must be a text.", name);
    *out = json_string_value(v);
    return WEIR_OK;
}

static enum weir_err read_metadata(struct exchange *x, char **text)
{
    const json_t *m = json_object_get(x->json, "metadata");
    struct field_fault fault = {.param = ""};
    enum weir_err e;

    if (!m || json_is_null(m))
        return WEIR_OK;
    if (!json_is_object(m) || json_object_size(m) > METADATA_MAX)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "metadata", "'metadata' must be an object of at most %d members.", METADATA_MAX);
    e = ask_check_metadata(m, &fault);
    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    *text = json_dumps(m, JSON_COMPACT);
    return WEIR_OK;
}

/* Weir's own member, which is read as its own requests are. */
struct wish {
    const json_t *budget_usd;
};

/* The budget in picodollars; -1: none is named. */
static enum weir_err read_budget(struct exchange *x, int64_t *budget)
{
    static const struct field fields[] = {{"budget_usd", FIELD_NUMBER, offsetof(struct wish, budget_usd), 0, BUDGET_MAX_THOUSANDTHS, false}};
    const json_t *own = json_object_get(x->json, "weir");
    struct field_fault fault = {.param = ""};
    struct wish w = {NULL};
    enum weir_err e;

    *budget = -1;
    if (!own || json_is_null(own))
        return WEIR_OK;
    if (!json_is_object(own))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "weir", "'weir' must be an object.");
    e = field_read(own, fields, 1, "weir.", &w, &fault);
    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    if (w.budget_usd)
        *budget = field_pico(w.budget_usd);
    return *budget == 0 ? web_refuse(x, WEIR_E_INVALID_FIELD, "weir.budget_usd", "'weir.budget_usd' must be more than 0.") : WEIR_OK;
}

static enum weir_err read_priority(struct exchange *x, enum priority *p)
{
    *p = PRIORITY_LOW;
    if (!x->in.weir_priority)
        return WEIR_OK;
    if (!priority_parse(x->in.weir_priority, p))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "X-Weir-Priority", "X-Weir-Priority must be Low, Medium or High.");
    if (*p > x->who.max_priority)
        return web_refuse(x, WEIR_E_PRIORITY, "X-Weir-Priority", "You may not use priority %s; the highest for you is %s.", priority_name(*p),
                          priority_name(x->who.max_priority));
    return WEIR_OK;
}

static enum weir_err read_new(struct exchange *x, struct batch_new *b, char **metadata)
{
    const char *file_id = "", *window = "";
    struct file_row f;
    enum weir_err e;

    if ((e = read_text(x, "input_file_id", &file_id)) || (e = read_text(x, "endpoint", &b->endpoint)) ||
        (e = read_text(x, "completion_window", &window)) || (e = read_metadata(x, metadata)) || (e = read_priority(x, &b->priority)) ||
        (e = read_budget(x, &b->budget)))
        return e;
    if (!batch_url_known(b->endpoint))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "endpoint", "'endpoint' must be /v1/chat/completions, /v1/embeddings, /v1/responses or /v1/messages.");
    if (strcmp(window, "24h") != 0)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "completion_window", "'completion_window' must be \"24h\".");
    e = files_find(x->db, x->who.user_id, file_id, &f);
    if (e)
        return e == WEIR_E_NOT_FOUND ? web_refuse(x, e, "input_file_id", "You have no file '%.64s'.", file_id) : e;
    if (f.kind != FILE_INPUT)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "input_file_id", "'input_file_id' must be of a file with the purpose \"batch\".");
    b->input = f.id;
    b->metadata = *metadata;
    return WEIR_OK;
}

struct batch_change {
    struct write_op op;
    const struct batch_new *made;
    int64_t id, now_ms, budget;
};

static enum weir_err run_add(struct db *db, struct write_op *op)
{
    return batches_add(db, ((const struct batch_change *)op)->made);
}

enum weir_err h_batch_create(struct exchange *x)
{
    char batch_id[RAND_ID_SIZE], *metadata = NULL;
    struct batch_new b = {.batch_id = batch_id, .user_id = x->who.user_id, .token_id = account_token_of(&x->who), .created_ms = x->arrived_ms};
    struct batch_change c = {.op.run = run_add, .made = &b};
    enum weir_err e;

    rand_id(batch_id, "bat");
    e = read_new(x, &b, &metadata);
    if (!e)
        e = writer_call(x->web->writer, &c.op);
    free(metadata);
    if (e == WEIR_E_NOT_FOUND && !*x->message)
        return web_refuse(x, e, "input_file_id", "The input file has just gone.");
    if (e == WEIR_E_RATE_LIMITED) {
        x->retry_after_ms = 60000;
        return web_refuse(x, e, NULL, "You have %d batches that have not ended, and no more may be open at once.", BATCHES_OPEN_MAX);
    }
    if (e)
        return e;
    batches_nudge(x->web->batches);
    return show(x, batch_id);
}

/* --- changes --- */

static enum weir_err run_cancel(struct db *db, struct write_op *op)
{
    const struct batch_change *c = (const struct batch_change *)op;

    return batches_cancel(db, c->id, c->now_ms);
}

static enum weir_err run_pause(struct db *db, struct write_op *op)
{
    const struct batch_change *c = (const struct batch_change *)op;

    return batches_pause(db, c->id);
}

static enum weir_err run_resume(struct db *db, struct write_op *op)
{
    const struct batch_change *c = (const struct batch_change *)op;

    return batches_resume(db, c->id, c->budget);
}

static enum weir_err refuse_budget(struct exchange *x, const struct batch_row *b)
{
    struct sb text = sb_make(512);
    enum weir_err e;

    sb_puts(&text, "Of the batch's budget of $");
    sb_usd(&text, b->budget);
    sb_puts(&text, ", $");
    sb_usd(&text, b->cost);
    sb_puts(&text, " is spent, and the rest does not pay for its next request. Resume it with a higher weir.budget_usd.");
    e = web_refuse(x, WEIR_E_BUDGET, "weir.budget_usd", "%s", sb_str(&text));
    sb_done(&text);
    return e;
}

static enum weir_err change(struct exchange *x, enum weir_err (*run)(struct db *, struct write_op *), int64_t budget)
{
    struct batch_change c = {.op.run = run, .now_ms = x->arrived_ms, .budget = budget};
    struct batch_row b;
    enum weir_err e = find(x, x->arg[0], &b);

    if (e)
        return e;
    c.id = b.id;
    e = writer_call(x->web->writer, &c.op);
    if (e == WEIR_E_BUDGET)
        return refuse_budget(x, &b);
    if (e == WEIR_E_CONFLICT)
        return web_refuse(x, e, "batch_id", "The batch is %s; this cannot be done any more.", batch_status_name(b.status));
    if (e)
        return e;
    batches_nudge(x->web->batches);
    return show(x, x->arg[0]);
}

enum weir_err h_batch_cancel(struct exchange *x)
{
    return change(x, run_cancel, -1);
}

enum weir_err h_batch_pause(struct exchange *x)
{
    return change(x, run_pause, -1);
}

enum weir_err h_batch_resume(struct exchange *x)
{
    int64_t budget;
    enum weir_err e = read_budget(x, &budget);

    return e ? e : change(x, run_resume, budget);
}
