/* batch_check.c - the input of a batch, line by line. Nothing is kept of it but
 * where each line is; custom_ids are told apart by their hashes. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/record.h"
#include "web/batch_work.h"

enum { FAULTS_MAX = 10, ERRORS_MAX = 16 * 1024, ADDED_AT_ONCE = 1000, HASH_BYTES = 16 };

struct seen {
    unsigned char hash[HASH_BYTES];      /* of a custom_id */
    int64_t line;
};

struct check {
    const struct batch_row *batch;
    const struct settings *settings;
    struct batch_item_place *items;
    struct seen *seen;
    size_t n, cap;
    int64_t line;                        /* of the file, from 1 */
    int64_t faults;
    struct sb errors;                    /* JSON of the first of them */
};

static void fault(struct check *c, const char *code, const char *param, int64_t line, const char *why)
{
    if (c->faults++ >= FAULTS_MAX)
        return;
    sb_puts(&c->errors, c->errors.len ? ",{\"code\":" : "{\"code\":");
    sb_json(&c->errors, code);
    json_text(&c->errors, "message", why);
    json_text(&c->errors, "param", param);
    if (line)
        json_i64(&c->errors, "line", line);
    else
        json_text(&c->errors, "line", NULL);
    sb_putc(&c->errors, '}');
}

static void add(struct check *c, const char *custom_id, int64_t start, int64_t bytes)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 256;
        c->items = mem_grow(c->items, c->cap, sizeof *c->items);
        c->seen = mem_grow(c->seen, c->cap, sizeof *c->seen);
    }
    crypto_generichash(c->seen[c->n].hash, HASH_BYTES, (const unsigned char *)custom_id, strlen(custom_id), NULL, 0);
    c->seen[c->n].line = c->line;
    c->items[c->n] = (struct batch_item_place){(int64_t)c->n, start, bytes};
    c->n++;
}

static void take_line(struct check *c, const char *text, size_t n, int64_t start)
{
    struct batch_line_fault f;
    struct batch_line l;

    c->line++;
    while (n > 0 && strchr(" \t\r", text[n - 1]))
        n--;
    if (n == 0)
        return;
    if (!batch_line_read(text, n, NULL, &l, &f)) {
        fault(c, f.param ? "invalid_request" : "invalid_json_line", f.param, c->line, f.why);
        return;
    }
    if (strcmp(l.url, c->batch->endpoint) != 0)
        fault(c, "mismatched_endpoint", "url", c->line, "'url' must be the endpoint of the batch.");
    else if ((int64_t)c->n == c->settings->batches.items)
        fault(c, "too_many_requests", NULL, c->line, "The batch has more requests than one may have here (batches.items).");
    else
        add(c, l.custom_id, start, (int64_t)n);
    json_decref(l.json);
}

/* Whole lines of the file, wherever parts end. */
static enum weir_err read_lines(struct check *c, struct db *ro)
{
    const struct file_row f = batch_input_of(c->batch);
    int64_t most = c->settings->http.max_body_v1_bytes, at = 0, start = 0;
    struct sb text = sb_make((size_t)most + FILE_PART_BYTES);
    enum weir_err e = WEIR_OK;
    bool more = true;

    while (!e && more && c->faults < FAULTS_MAX) {
        size_t before = text.len, used = 0;
        const char *end;

        e = files_read(ro, &f, at, FILE_PART_BYTES, &text);
        at += (int64_t)(text.len - before);
        more = text.len > before;
        while (!e && (end = memchr(sb_str(&text) + used, '\n', text.len - used))) {
            size_t n = (size_t)(end - text.p) - used;

            take_line(c, text.p + used, n, start);
            used += n + 1;
            start += (int64_t)n + 1;
        }
        if (!e && used > 0) {
            memmove(text.p, text.p + used, text.len - used);
            sb_drop(&text, used);
        }
        if (!e && (int64_t)text.len > most) {
            fault(c, "request_too_large", NULL, c->line + 1, "The line is longer than a request may be here (http.max_body_v1_bytes).");
            more = false;
            sb_reset(&text);
        }
    }
    if (!e && text.len > 0 && !more)
        take_line(c, text.p, text.len, start);
    sb_done(&text);
    return e;
}

static int by_hash(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    int order = memcmp(x->hash, y->hash, HASH_BYTES);

    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static void find_twice(struct check *c)
{
    if (c->n)
        qsort(c->seen, c->n, sizeof *c->seen, by_hash);
    for (size_t i = 1; i < c->n; i++)
        if (memcmp(c->seen[i].hash, c->seen[i - 1].hash, HASH_BYTES) == 0)
            fault(c, "duplicate_custom_id", "custom_id", c->seen[i].line, "An earlier line has this custom_id already.");
    if (c->n == 0 && !c->faults)
        fault(c, "empty_file", NULL, 0, "The file has no requests.");
}

/* --- what came of it --- */

struct check_write {
    struct write_op op;
    const struct check *c;
    size_t from, n;
    const char *errors;
    int64_t now_ms;
};

static enum weir_err run_forget(struct db *db, struct write_op *op)
{
    return batch_items_forget(db, ((const struct check_write *)op)->c->batch->id, ADDED_AT_ONCE);
}

static enum weir_err run_add(struct db *db, struct write_op *op)
{
    const struct check_write *w = (const struct check_write *)op;

    return batch_items_add(db, w->c->batch->id, w->c->items + w->from, w->n);
}

static enum weir_err run_begin(struct db *db, struct write_op *op)
{
    const struct check_write *w = (const struct check_write *)op;

    return w->errors ? batches_fail(db, w->c->batch->id, w->errors, w->now_ms) : batches_begin(db, w->c->batch->id, (int64_t)w->c->n, w->now_ms);
}

/* Items that an earlier check, cut off by the end of Weir, had added go first. */
static enum weir_err write_items(struct check *c, struct web *w, struct db *ro)
{
    struct check_write op = {.op.run = run_forget, .c = c};
    struct batch_item_place first;
    size_t found = 1;
    enum weir_err e = WEIR_OK;

    while (!e && found) {
        e = batch_items_open(ro, c->batch->id, 0, 1, &first, &found);
        if (!e && found)
            e = writer_call(w->writer, &op.op);
    }
    op.op.run = run_add;
    for (; !e && op.from < c->n; op.from += op.n) {
        op.n = c->n - op.from < ADDED_AT_ONCE ? c->n - op.from : ADDED_AT_ONCE;
        e = writer_call(w->writer, &op.op);
    }
    return e;
}

struct file_row batch_input_of(const struct batch_row *b)
{
    struct file_row f = {.id = b->input, .user = b->user, .kind = FILE_INPUT};

    memcpy(f.file_id, b->input_id, sizeof f.file_id);
    return f;
}

enum weir_err batch_check(struct web *w, struct db *ro, const struct batch_row *b)
{
    struct check c = {.batch = b, .settings = w->settings, .errors = sb_make(ERRORS_MAX)};
    struct sb list = sb_make(ERRORS_MAX + 64);
    struct check_write end = {.op.run = run_begin, .c = &c, .now_ms = clock_utc_ms()};
    enum weir_err e = read_lines(&c, ro);

    if (!e)
        find_twice(&c);
    if (!e && c.faults) {
        sb_putf(&list, "{\"object\":\"list\",\"data\":[%s]}", sb_str(&c.errors));
        end.errors = sb_str(&list);
    } else if (!e)
        e = write_items(&c, w, ro);
    if (!e)
        e = writer_call(w->writer, &end.op);
    sb_done(&list);
    sb_done(&c.errors);
    free(c.items);
    free(c.seen);
    return e;
}
