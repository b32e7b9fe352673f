/* h_page_batches.c - the page of batches: how far each has come, what it has cost,
 * and what can be done about it. One's own; an administrator sees everybody's
 * figures, and acts on their own alone. Acceptor threads. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "web/batch_json.h"
#include "web/board.h"
#include "web/pages.h"
#include "web/route.h"

enum { A_PAGE = 50 };

/* "validating", or what keeps it: "paused", "waits: budget exceeded". */
static json_t *state_of(const struct batch_row *b)
{
    json_t *held = *b->held ? pages_spoken(b->held) : NULL, *text;

    if (b->used_up)
        text = json_string("budget used up");
    else if (b->paused)
        text = json_string("paused");
    else if (held)
        text = view_text("waits: %s", json_string_value(held));
    else
        text = pages_spoken(batch_status_name(b->status));
    json_decref(held);
    return text;
}

static const char *tone_of(const struct batch_row *b)
{
    if (b->status == BATCH_FAILED || b->status == BATCH_EXPIRED)
        return "err";
    return b->status == BATCH_COMPLETED ? "ok" : *b->held || b->used_up ? "warn" : "";
}

static json_t *file_href(const char *file_id)
{
    return *file_id ? view_text("/v1/files/%s/content", file_id) : json_false();
}

/* The first thing that was wrong with its input, for the one whose it is: "Line 3: …". False: nothing was. */
static json_t *why_failed(const struct board *board, const struct batch_row *b)
{
    struct sb metadata = sb_make(16 * 1024), errors = sb_make(64 * 1024);
    json_t *said = pages_parse(batches_texts(board->x->db, b->id, &metadata, &errors), &errors), *why;
    const json_t *first = json_array_get(json_object_get(said, "data"), 0), *line = json_object_get(first, "line");
    const char *message = json_str(first, "message", NULL);

    why = !message ? json_false() : json_is_integer(line) ? view_text("Line %lld: %s", (long long)json_integer_value(line), message) : json_string(message);
    json_decref(said);
    sb_done(&metadata);
    return why;
}

static json_t *row_of(const struct board *board, const struct batch_row *b)
{
    bool own = strcmp(b->user_id, board->x->who.user_id) == 0, open = own && (b->status == BATCH_VALIDATING || b->status == BATCH_IN_PROGRESS);
    double share = b->total > 0 ? (double)(b->completed + b->failed) / (double)b->total : 0;
    int64_t eta_ms = batch_eta_ms(b);
    json_t *row = json_pack("{s:s, s:s, s:o, s:s, s:o, s:I, s:o}", "id", b->batch_id, "endpoint", b->endpoint, "state", state_of(b), "tone",
                            tone_of(b), "share_pct", view_length(share), "share", (json_int_t)(100 * share), "cost", view_money((double)b->cost / 1e12));

    json_object_set_new(row, "done", view_count((double)(b->completed + b->failed)));
    json_object_set_new(row, "total", view_count((double)b->total));
    json_object_set_new(row, "answered", view_count((double)b->completed));
    json_object_set_new(row, "failed", view_count((double)b->failed));
    if (b->budget >= 0)
        json_object_set_new(row, "budget", view_money((double)b->budget / 1e12));
    json_object_set_new(row, "left", eta_ms >= 0 ? view_span((double)eta_ms) : json_string("—"));
    json_object_set_new(row, "made", board_moment(board, b->created_ms, VIEW_MINUTE));
    json_object_set_new(row, "saved", b->saved_ms ? board_moment(board, b->saved_ms, VIEW_SHORT) : json_string("—"));
    json_object_set_new(row, "may_pause", json_boolean(open && !b->paused));
    json_object_set_new(row, "may_resume", json_boolean(open && b->paused && !b->used_up));
    json_object_set_new(row, "may_raise", json_boolean(open && b->used_up));
    json_object_set_new(row, "may_cancel", json_boolean(open));
    json_object_set_new(row, "answers_href", file_href(own ? b->output_id : ""));
    json_object_set_new(row, "failures_href", file_href(own ? b->errors_id : ""));
    if (own && b->status == BATCH_FAILED)
        json_object_set_new(row, "why", why_failed(board, b));
    if (!board->mine)
        json_object_set_new(row, "user", pages_person(board->x, b->user_id));
    return row;
}

enum weir_err h_page_batches(struct exchange *x)
{
    struct batch_row *rows;
    struct board b;
    size_t n = 0;
    enum weir_err e = board_open(x, &b);
    json_t *ctx, *list;

    if (e)
        return e;
    rows = mem_zalloc(A_PAGE + 1, sizeof *rows);
    e = batches_list(x->db, b.mine, http_query(&x->in, "after", NULL), A_PAGE, rows, &n);
    if (e) {
        free(rows);
        return e;
    }
    ctx = board_context(&b, "batches", "Batches");
    list = json_array();
    for (size_t i = 0; i < n && i < A_PAGE; i++)
        json_array_append_new(list, row_of(&b, &rows[i]));
    json_object_set_new(ctx, "everybody", json_boolean(!b.mine));
    json_object_set_new(ctx, "has_batches", json_boolean(n > 0));
    json_object_set_new(ctx, "batches", list);
    if (n > A_PAGE)
        json_object_set_new(ctx, "older_href", board_href(&b, x->in.path, "after", rows[A_PAGE - 1].batch_id));
    free(rows);
    return pages_answer(x, "batches", ctx);
}
