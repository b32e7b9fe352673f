/* oplog.c - a line, a write, a rename now and then. */
#include "flow/oplog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/record.h"

enum { LINE_MAX_BYTES = 16 * 1024 };

struct oplog {
    char *path;
    int64_t max_bytes, bytes;
    int older;
    int fd;                      /* -1: not open */
    bool complained;             /* since a line was last written */
    struct sb line;
};

static void complain(struct oplog *o, const char *what)
{
    if (!o->complained)
        log_error("%s: %s: %s; calls go on without their lines there", o->path, what, strerror(errno));
    o->complained = true;
}

static void file_open(struct oplog *o)
{
    struct stat st;

    o->fd = open(o->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    o->bytes = o->fd >= 0 && fstat(o->fd, &st) == 0 ? (int64_t)st.st_size : 0;
    if (o->fd < 0)
        complain(o, "cannot be opened");
}

static void file_close(struct oplog *o)
{
    if (o->fd >= 0)
        (void)close(o->fd);
    o->fd = -1;
}

/* The file and the older ones move on by one. */
static void rotate(struct oplog *o)
{
    size_t size = strlen(o->path) + 16;
    char *from = mem_zalloc(1, size), *to = mem_zalloc(1, size);

    file_close(o);
    for (int i = o->older; i > 0; i--) {
        (void)snprintf(to, size, "%s.%d", o->path, i);
        if (i > 1)
            (void)snprintf(from, size, "%s.%d", o->path, i - 1);
        else
            (void)snprintf(from, size, "%s", o->path);
        if (rename(from, to) < 0 && errno != ENOENT)
            complain(o, "cannot be renamed");
    }
    free(from);
    free(to);
    file_open(o);
}

struct oplog *oplog_open(const char *path, int64_t max_bytes, int older)
{
    struct oplog *o = mem_zalloc(1, sizeof *o);

    o->path = mem_strdup(path);
    o->max_bytes = max_bytes;
    o->older = older;
    o->line = sb_make(LINE_MAX_BYTES);
    file_open(o);
    return o;
}

static void make_line(struct sb *out, const struct call_record *r)
{
    sb_puts(out, "{\"request_id\":");
    sb_json(out, r->request_id);
    json_text(out, "user_id", r->user_id);
    json_text(out, "session_id", *r->session_id ? r->session_id : NULL);
    json_text(out, "model", r->model);
    json_text(out, "upstream", r->upstream);
    json_text(out, "api_endpoint", r->api_endpoint);
    json_text(out, "priority", priority_name(r->priority));
    sb_putc(out, ',');
    json_time(out, "start", r->accepted_at_ms);
    sb_putc(out, ',');
    json_time(out, "end", r->ended_at_ms);
    json_i64(out, "delay_ms", (r->queue_us + r->retry_wait_us) / 1000);
    json_text(out, "status", call_status_name(r->status));
    json_text(out, "finish_reason", r->finish_reason);
    json_text(out, "error", r->error_code);
    json_i64(out, "attempts", r->attempt_count);
    sb_puts(out, ",\"usage\":");
    record_usage_json(out, r);
    sb_puts(out, ",\"cost\":");
    record_cost_json(out, r);
    sb_puts(out, ",\"metrics\":");
    record_metrics_json(out, r);
    sb_puts(out, "}\n");
}

void oplog_note(struct oplog *o, const struct call_record *r)
{
    ssize_t n;

    sb_reset(&o->line);
    make_line(&o->line, r);
    if (o->bytes > 0 && o->bytes + (int64_t)o->line.len > o->max_bytes)
        rotate(o);
    if (o->fd < 0)
        file_open(o);
    if (o->fd < 0)
        return;
    n = write(o->fd, sb_str(&o->line), o->line.len);
    if (n > 0)
        o->bytes += n;
    if (n == (ssize_t)o->line.len) {
        o->complained = false;
        return;
    }
    complain(o, "cannot be written");
    if (n > 0)                               /* part of a line is worse than none */
        (void)!ftruncate(o->fd, (off_t)(o->bytes -= n));
    file_close(o);
}

void oplog_close(struct oplog *o)
{
    if (!o)
        return;
    file_close(o);
    sb_done(&o->line);
    free(o->path);
    free(o);
}
