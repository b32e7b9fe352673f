/* batch_json.c - see batch_json.h. */
#include "web/batch_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/record.h"

/* ,"name":seconds or null */
static void put_time(struct sb *out, const char *name, int64_t ms)
{
    if (ms > 0)
        json_i64(out, name, ms / 1000);
    else
        json_text(out, name, NULL);
}

static void put_id(struct sb *out, const char *name, const char *id)
{
    json_text(out, name, *id ? id : NULL);
}

void file_json(const struct file_row *f, struct sb *out)
{
    sb_puts(out, "{\"id\":");
    sb_json(out, f->file_id);
    sb_putf(out, ",\"object\":\"file\",\"bytes\":%" PRId64, f->bytes);
    put_time(out, "created_at", f->created_ms);
    put_time(out, "expires_at", f->expires_ms);
    json_text(out, "filename", f->name);
    json_text(out, "purpose", f->kind == FILE_INPUT ? "batch" : "batch_output");
    sb_puts(out, ",\"status\":\"processed\"}");
}

int64_t batch_eta_ms(const struct batch_row *b)
{
    int64_t done = b->completed + b->failed;

    if (b->status != BATCH_IN_PROGRESS || b->paused || *b->held || done == 0)
        return -1;
    return b->worked_ms / done * (b->total - done) + b->worked_ms % done * (b->total - done) / done;
}

void batch_progress_json(const struct batch_row *b, struct sb *out)
{
    int64_t eta_ms = batch_eta_ms(b);

    sb_puts(out, ",\"cost_usd\":");
    sb_usd(out, b->cost);
    if (eta_ms >= 0)
        json_i64(out, "eta_ms", eta_ms);
    else
        json_text(out, "eta_ms", NULL);
    sb_puts(out, b->paused ? ",\"paused\":true" : ",\"paused\":false");
}

static void put_weir(const struct batch_row *b, struct sb *out)
{
    sb_puts(out, ",\"weir\":{\"priority\":");
    sb_json(out, priority_name(b->priority));
    batch_progress_json(b, out);
    sb_puts(out, ",\"budget_usd\":");
    if (b->budget >= 0)
        sb_usd(out, b->budget);
    else
        sb_puts(out, "null");
    put_id(out, "waits_for", b->used_up ? BATCH_BUDGET : b->held);
    json_i64(out, "repeated", b->repeated);
    put_time(out, "checkpoint_at", b->saved_ms);
    sb_putc(out, '}');
}

void batch_json(const struct batch_row *b, const char *metadata, const char *errors, struct sb *out)
{
    sb_puts(out, "{\"id\":");
    sb_json(out, b->batch_id);
    sb_puts(out, ",\"object\":\"batch\"");
    json_text(out, "endpoint", b->endpoint);
    sb_puts(out, ",\"errors\":");
    sb_puts(out, *errors ? errors : "null");
    json_text(out, "input_file_id", b->input_id);
    sb_puts(out, ",\"completion_window\":\"24h\"");
    json_text(out, "status", batch_status_name(b->status));
    put_id(out, "output_file_id", b->output_id);
    put_id(out, "error_file_id", b->errors_id);
    put_time(out, "created_at", b->created_ms);
    put_time(out, "in_progress_at", b->begun_ms);
    put_time(out, "expires_at", b->expires_ms);
    put_time(out, "finalizing_at", b->finalizing_ms);
    put_time(out, "completed_at", b->status == BATCH_COMPLETED ? b->ended_ms : 0);
    put_time(out, "failed_at", b->status == BATCH_FAILED ? b->ended_ms : 0);
    put_time(out, "expired_at", b->status == BATCH_EXPIRED ? b->ended_ms : 0);
    put_time(out, "cancelling_at", b->cancelled_ms);
    put_time(out, "cancelled_at", b->status == BATCH_CANCELLED ? b->ended_ms : 0);
    sb_putf(out, ",\"request_counts\":{\"total\":%" PRId64 ",\"completed\":%" PRId64 ",\"failed\":%" PRId64 "}", b->total, b->completed, b->failed);
    sb_putf(out, ",\"usage\":{\"input_tokens\":%" PRId64 ",\"output_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 "}", b->tokens_in,
            b->tokens_out, b->tokens_in + b->tokens_out);
    sb_puts(out, ",\"metadata\":");
    sb_puts(out, *metadata ? metadata : "null");
    put_weir(b, out);
    sb_putc(out, '}');
}

enum weir_err batch_page(struct exchange *x, int64_t fallback, int64_t most, int64_t *limit)
{
    const char *text = http_query(&x->in, "limit", NULL);

    *limit = fallback;
    if (!text)
        return WEIR_OK;
    *limit = strlen(text) < 10 && strspn(text, "0123456789") == strlen(text) ? strtoll(text, NULL, 10) : 0;
    if (*limit < 1 || *limit > most)
        return web_refuse(x, WEIR_E_OUT_OF_RANGE, "limit", "'limit' must be from 1 to %" PRId64 ".", most);
    return WEIR_OK;
}

void batch_page_end(struct sb *out, const char *first, const char *last, bool more)
{
    sb_puts(out, "]");
    json_text(out, "first_id", first);
    json_text(out, "last_id", last);
    sb_puts(out, more ? ",\"has_more\":true}\n" : ",\"has_more\":false}\n");
}
