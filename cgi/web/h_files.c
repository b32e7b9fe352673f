/* h_files.c - OpenAI's /v1/files: what batches are made of and what they leave
 * behind. An upload goes into the database part by part as it arrives; nobody
 * sees it before it is whole. Acceptor threads. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "store/batch_items.h"
#include "store/files.h"
#include "web/batch_json.h"
#include "web/batches.h"
#include "web/fcgi.h"
#include "web/form.h"
#include "web/route.h"

enum { PIECE = 64 * 1024, FIELD_MAX = 64, EXPIRES_MIN_S = 3600, EXPIRES_MAX_S = 30 * 24 * 3600, PAGE_MAX = 10000, LINES_MAX = 64 << 20 };

/* --- upload --- */

struct upload {
    struct exchange *x;
    struct file_row file;
    int64_t parts;
    struct sb part;                      /* of the file, until it is full */
    struct sb purpose, seconds;          /* fields */
    struct sb *into;                     /* of the part of the form under way; NULL: it means nothing */
    bool has_file;
};

struct file_write {
    struct write_op op;
    struct upload *u;
    enum { BEGIN, ADD_PART, FINISH, DROP } what;
};

static enum weir_err run_write(struct db *db, struct write_op *op)
{
    struct file_write *w = (struct file_write *)op;
    struct upload *u = w->u;

    switch (w->what) {
    case BEGIN: return files_begin(db, u->x->who.user_id, u->file.file_id, u->file.name, u->x->arrived_ms, &u->file.id);
    case ADD_PART:
        return files_add_part(db, u->file.id, u->parts, sb_str(&u->part), u->part.len, u->x->web->settings->batches.user_bytes);
    case FINISH: return files_finish(db, u->file.id, u->file.expires_ms);
    case DROP: break;
    }
    return files_drop(db, u->file.id);
}

static enum weir_err write_file(struct upload *u, int what)
{
    struct file_write w = {.op.run = run_write, .u = u, .what = what};

    return writer_call(u->x->web->writer, &w.op);
}

static enum weir_err flush_part(struct upload *u)
{
    enum weir_err e = write_file(u, ADD_PART);

    if (e == WEIR_E_OUT_OF_RANGE)
        return web_refuse(u->x, e, "file", "With this file yours would have more than the %" PRId64 " bytes they may have together "
                          "(batches.user_bytes). Delete some of them first.", u->x->web->settings->batches.user_bytes);
    u->parts++;
    sb_reset(&u->part);
    return e;
}

static enum weir_err begin_part(void *ctx, const char *name, const char *filename)
{
    struct upload *u = ctx;

    u->into = strcmp(name, "purpose") == 0 ? &u->purpose : strcmp(name, "expires_after[seconds]") == 0 ? &u->seconds : NULL;
    if (strcmp(name, "file") != 0)
        return WEIR_OK;
    if (u->has_file)
        return web_refuse(u->x, WEIR_E_INVALID_FIELD, "file", "Send one file at a time.");
    u->has_file = true;
    u->into = &u->part;
    if (!filename || !*filename || utf8_valid(filename, strlen(filename)) != strlen(filename))
        filename = "upload.jsonl";
    (void)snprintf(u->file.name, sizeof u->file.name, "%.*s", (int)utf8_valid(filename, strnlen(filename, FILE_NAME_MAX)), filename);
    rand_id(u->file.file_id, "file");
    u->file.created_ms = u->x->arrived_ms;
    return write_file(u, BEGIN);
}

static enum weir_err take_data(void *ctx, const char *p, size_t n)
{
    struct upload *u = ctx;
    int64_t most = u->x->web->settings->batches.file_bytes;
    enum weir_err e = WEIR_OK;

    if (u->into != &u->part) {
        if (u->into)
            sb_put(u->into, p, n);
        return WEIR_OK;
    }
    u->file.bytes += (int64_t)n;
    if (u->file.bytes > most)
        return web_refuse(u->x, WEIR_E_BODY_TOO_LARGE, "file", "The file is larger than the %" PRId64 " bytes allowed here (batches.file_bytes).", most);
    while (!e && n > 0) {
        size_t room = FILE_PART_BYTES - u->part.len, take = n < room ? n : room;

        sb_put(&u->part, p, take);
        p += take;
        n -= take;
        if (u->part.len == FILE_PART_BYTES)
            e = flush_part(u);
    }
    return e;
}

static enum weir_err read_form(struct upload *u)
{
    const struct form_reader reader = {begin_part, take_data, u};
    struct form f;
    char *piece = mem_zalloc(1, PIECE);
    enum weir_err e = WEIR_OK;
    int n = 0;

    if (!form_begin(&f, u->x->in.content_type, &reader))
        e = web_refuse(u->x, WEIR_E_MEDIA_TYPE, "Content-Type", "Send the file as multipart/form-data.");
    while (!e && (n = fcgi_read_piece(u->x->conn, piece, PIECE)) > 0)
        e = form_feed(&f, piece, (size_t)n);
    if (!e && (n < 0 || !form_ended(&f)))
        e = web_refuse(u->x, WEIR_E_BODY_INCOMPLETE, NULL, "The form breaks off before its last boundary.");
    if (e == WEIR_E_INVALID_FIELD && !*u->x->message)
        (void)web_refuse(u->x, e, NULL, "The body is not multipart/form-data as its Content-Type says.");
    form_done(&f);
    free(piece);
    return e;
}

static enum weir_err check_fields(struct upload *u)
{
    const char *s = sb_str(&u->seconds);
    int64_t keep_ms = u->x->web->settings->retention.files_us / USEC_PER_MS, seconds = 0;

    if (!u->has_file)
        return web_refuse(u->x, WEIR_E_MISSING_FIELD, "file", "'file' is missing.");
    if (!sb_ok(&u->purpose) || strcmp(sb_str(&u->purpose), "batch") != 0)
        return web_refuse(u->x, u->purpose.len ? WEIR_E_INVALID_FIELD : WEIR_E_MISSING_FIELD, "purpose", "'purpose' must be \"batch\": files are for batches here.");
    if (u->file.bytes == 0)
        return web_refuse(u->x, WEIR_E_INVALID_FIELD, "file", "The file is empty.");
    if (*s) {
        if (!sb_ok(&u->seconds) || strlen(s) > 10 || strspn(s, "0123456789") != strlen(s))
            return web_refuse(u->x, WEIR_E_INVALID_FIELD, "expires_after[seconds]", "'expires_after[seconds]' must be a whole number.");
        seconds = strtoll(s, NULL, 10);
        if (seconds < EXPIRES_MIN_S || seconds > EXPIRES_MAX_S)
            return web_refuse(u->x, WEIR_E_OUT_OF_RANGE, "expires_after[seconds]", "'expires_after[seconds]' must be from %d to %d.", EXPIRES_MIN_S, EXPIRES_MAX_S);
        keep_ms = seconds * 1000 < keep_ms ? seconds * 1000 : keep_ms;
    }
    u->file.expires_ms = u->file.created_ms + keep_ms;
    return WEIR_OK;
}

enum weir_err h_file_create(struct exchange *x)
{
    struct upload u = {.x = x, .part = sb_make(FILE_PART_BYTES), .purpose = sb_make(FIELD_MAX), .seconds = sb_make(FIELD_MAX)};
    enum weir_err e;

    if (!writer_healthy(x->web->writer))
        return web_refuse(x, WEIR_E_STORAGE, NULL, NULL);
    if ((e = web_long_begin(x)))
        return e;
    if ((e = read_form(&u)) == WEIR_OK && (e = check_fields(&u)) == WEIR_OK && u.part.len > 0)
        e = flush_part(&u);
    if (!e)
        e = write_file(&u, FINISH);
    if (e && u.file.id && write_file(&u, DROP))
        log_warn("files: an upload that failed stays until the next start");
    if (e && u.file.id)
        batches_nudge(x->web->batches);
    if (!e) {
        file_json(&u.file, &x->out.body);
        sb_putc(&x->out.body, '\n');
    }
    web_long_end(x);
    sb_done(&u.part);
    sb_done(&u.purpose);
    sb_done(&u.seconds);
    return e;
}

/* --- what is there --- */

static enum weir_err find(struct exchange *x, struct file_row *f)
{
    enum weir_err e = files_find(x->db, x->who.user_id, x->arg[0], f);

    return e == WEIR_E_NOT_FOUND ? web_refuse(x, e, "file_id", "You have no file '%.64s'.", x->arg[0]) : e;
}

enum weir_err h_file_get(struct exchange *x)
{
    struct file_row f;
    enum weir_err e = find(x, &f);

    if (!e)
        file_json(&f, &x->out.body);
    sb_putc(&x->out.body, '\n');
    return e;
}

enum weir_err h_files_list(struct exchange *x)
{
    const char *purpose = http_query(&x->in, "purpose", NULL);
    bool oldest = strcmp(http_query(&x->in, "order", "desc"), "asc") == 0;
    struct file_row *rows;
    int64_t limit;
    size_t n;
    enum weir_err e = batch_page(x, PAGE_MAX, PAGE_MAX, &limit);

    if (e)
        return e;
    rows = mem_zalloc((size_t)limit + 1, sizeof *rows);
    e = files_list(x->db, x->who.user_id, http_query(&x->in, "after", NULL), oldest, !purpose ? -1 : strcmp(purpose, "batch") == 0, limit, rows, &n);
    sb_puts(&x->out.body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; !e && i < n && (int64_t)i < limit; i++) {
        sb_puts(&x->out.body, i ? "," : "");
        file_json(&rows[i], &x->out.body);
    }
    if (!e)
        batch_page_end(&x->out.body, n ? rows[0].file_id : NULL, n ? rows[(int64_t)n > limit ? (size_t)limit - 1 : n - 1].file_id : NULL, (int64_t)n > limit);
    free(rows);
    return e;
}

enum weir_err h_file_delete(struct exchange *x)
{
    struct upload u = {.x = x};
    enum weir_err e = find(x, &u.file);

    if (e)
        return e;
    e = write_file(&u, DROP);
    if (e == WEIR_E_CONFLICT)
        return web_refuse(x, e, "file_id", "A batch that has not ended uses this file; cancel it first.");
    if (e)
        return e;
    batches_nudge(x->web->batches);
    sb_puts(&x->out.body, "{\"id\":");
    sb_json(&x->out.body, u.file.file_id);
    sb_puts(&x->out.body, ",\"object\":\"file\",\"deleted\":true}\n");
    return WEIR_OK;
}

/* --- content --- */

static void set_head(struct exchange *x, const struct file_row *f)
{
    struct sb disposition = sb_make(2048);

    sb_puts(&disposition, "attachment; filename*=UTF-8''");
    sb_url(&disposition, f->name);
    x->out.type = "application/octet-stream";
    http_header(&x->out, "Content-Disposition", sb_str(&disposition));
    sb_done(&disposition);
    sb_putf(&x->out.head, "Content-Length: %" PRId64 "\r\n", f->bytes);      /* so that one that breaks off is noticed */
}

/* The next piece of it; *at moves on, to -1 at the end. */
static enum weir_err next_piece(struct exchange *x, const struct file_row *f, int64_t *at, struct sb *piece)
{
    enum weir_err e;

    if (f->kind != FILE_INPUT)
        return batch_items_lines(x->db, f->batch, f->kind == FILE_OUTPUT, at, piece);
    e = files_read(x->db, f, *at, FILE_PART_BYTES, piece);
    *at = piece->len ? *at + (int64_t)piece->len : -1;
    return e;
}

enum weir_err h_file_content(struct exchange *x)
{
    struct sb piece = sb_make(LINES_MAX);
    struct file_row f;
    int64_t at = 0;
    enum weir_err e = find(x, &f);

    if (e || (e = web_long_begin(x)))
        return e;
    set_head(x, &f);
    while (!e && at >= 0) {
        sb_reset(&piece);
        e = next_piece(x, &f, &at, &piece);
        if (!e && piece.len > 0 && !web_send(x, piece.p, piece.len))
            break;
    }
    web_long_end(x);
    if (e && x->out.streamed)
        log_error("files %s: broken off (%s)", x->request_id, err_code(e));
    sb_done(&piece);
    return e;
}
