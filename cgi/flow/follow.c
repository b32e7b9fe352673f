/* follow.c - who reads a stream beside the client that asked for it: a browser
 * that lost the connection and comes back, a second tab, after the end too.
 *
 * A stream is its log and its readers. While it runs its job has it; at the end
 * it takes the texts along and is kept for a while. A reader is told what came
 * after the event it knows, then what comes, at its own pace: one that does not
 * take it is dropped and may come back, nobody else waits for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/engine_impl.h"

enum { READER_MAX_BYTES = 1024 * 1024 };      /* that wait for it, beside what it was told when it came */

struct stream *stream_new(const struct call_record *r)
{
    struct stream *s = mem_zalloc(1, sizeof *s);

    (void)snprintf(s->request_id, sizeof s->request_id, "%s", r->request_id);
    (void)snprintf(s->user_id, sizeof s->user_id, "%s", r->user_id);
    s->log = stream_log_make();
    s->text = s->reasoning = sb_make(0);
    return s;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    stream_log_done(&s->log);
    sb_done(&s->text);
    sb_done(&s->reasoning);
    free(s);
}

static size_t stream_size(const struct stream *s)
{
    return sizeof *s + stream_log_size(&s->log) + s->text.cap + s->reasoning.cap;
}

/* --- readers --- */

static void reader_close(struct engine *e, struct reader *r)
{
    struct reader **at = &r->stream->readers;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    e->reader_count--;
    loop_forget(e, r->client.fd, &r->watch);
    client_close(&r->client);
    r->grave = e->dead_readers;
    e->dead_readers = r;
}

void follow_bury(struct engine *e)
{
    while (e->dead_readers) {
        struct reader *r = e->dead_readers;

        e->dead_readers = r->grave;
        free(r);
    }
}

/* `rc` is what client_write() gave: keep it, wait for its socket, or let it go. */
static void reader_wrote(struct engine *e, struct reader *r, int rc)
{
    size_t waits = client_pending(&r->client);

    if (rc < 0 || (waits > READER_MAX_BYTES && waits > r->allowed) || (r->last && waits == 0))
        reader_close(e, r);
    else if (waits > 0)
        loop_want_out(e, r->client.fd, &r->watch, true);
}

static void reader_say(struct engine *e, struct reader *r, const void *p, size_t n, bool last)
{
    r->last = last;
    if (client_pending(&r->client) == 0)
        r->quiet_us = e->now_us;
    reader_wrote(e, r, last ? client_write_last(&r->client, p, n) : client_write(&r->client, p, n));
}

void follow_say(struct engine *e, struct stream *s, const void *p, size_t n, bool last)
{
    for (struct reader *r = s->readers, *next; r; r = next) {
        next = r->next;
        reader_say(e, r, p, n, last);
    }
}

void follow_reader_gone(struct engine *e, struct reader *r)
{
    struct stream *s = r->stream;

    reader_close(e, r);
    if (s->job)
        conduct_unread(e, s->job);
}

void follow_reader_writable(struct engine *e, struct reader *r)
{
    int left = client_flush(&r->client);

    r->quiet_us = e->now_us;
    if (left == 0)
        loop_want_out(e, r->client.fd, &r->watch, false);
    if (left < 0)
        follow_reader_gone(e, r);
    else if (left == 0 && r->last)
        reader_close(e, r);
}

/* Readers that take nothing. */
static void drop_stuck(struct engine *e, struct stream *s)
{
    for (struct reader *r = s->readers, *next; r; r = next) {
        next = r->next;
        if (client_pending(&r->client) > 0 && e->now_us - r->quiet_us >= STUCK_US)
            follow_reader_gone(e, r);
    }
}

/* --- streams that have ended --- */

static void forget_oldest(struct engine *e)
{
    struct stream *s = e->ended;

    e->ended = s->next;
    if (!e->ended)
        e->ended_last = NULL;
    e->ended_bytes -= s->kept_bytes;
    while (s->readers)
        reader_close(e, s->readers);
    stream_free(s);
}

void follow_ended(struct engine *e, struct job *j)
{
    struct stream *s = j->stream;

    if (!s)
        return;
    j->stream = NULL;
    s->job = NULL;
    s->ended_us = e->now_us;
    s->text = j->answer;
    s->reasoning = j->reasoning;
    j->answer = j->reasoning = sb_make(0);
    s->kept_bytes = stream_size(s);
    e->ended_bytes += s->kept_bytes;
    if (e->ended_last)
        e->ended_last->next = s;
    else
        e->ended = s;
    e->ended_last = s;
    while (e->ended && e->ended_bytes > (size_t)e->s->resume.max_bytes)
        forget_oldest(e);
}

void follow_tick(struct engine *e)
{
    while (e->ended && e->now_us - e->ended->ended_us >= e->s->resume.keep_us)
        forget_oldest(e);
    for (struct job *j = e->jobs, *next; j; j = next) {
        next = j->next;
        if (j->stream && j->stream->readers)
            drop_stuck(e, j->stream);
        else if (j->unread_us && e->now_us - j->unread_us >= e->s->resume.unread_us)
            conduct_cancel(e, j);
    }
    for (struct stream *s = e->reader_count ? e->ended : NULL; s; s = s->next)
        if (s->readers)
            drop_stuck(e, s);
}

void follow_done(struct engine *e)
{
    while (e->ended)
        forget_oldest(e);
    follow_bury(e);
}

/* --- somebody comes --- */

static bool is_asked_for(const struct stream *s, const struct follow *f)
{
    return strcmp(s->request_id, f->request_id) == 0 && strcmp(s->user_id, f->user_id) == 0;
}

static struct stream *find(struct engine *e, const struct follow *f)
{
    for (struct job *j = e->jobs; j; j = j->next)
        if (j->stream && is_asked_for(j->stream, f))
            return j->stream;
    for (struct stream *s = e->ended; s; s = s->next)
        if (is_asked_for(s, f))
            return s;
    return NULL;
}

static void wish_free(struct follow *f)
{
    client_close(&f->client);
    sb_done(&f->head);
    sb_done(&f->refusal);
    free(f);
}

void follow_join(struct engine *e, struct stream *s, struct follow *f, bool last)
{
    struct reader *r = mem_zalloc(1, sizeof *r);

    r->client = f->client;
    f->client = (struct peer_client){.fd = -1};
    r->stream = s;
    r->next = s->readers;
    s->readers = r;
    e->reader_count++;
    r->allowed = f->head.len + READER_MAX_BYTES;
    if (loop_watch(e, r->client.fd, &r->watch, NULL, r) && sb_ok(&f->head))
        reader_say(e, r, sb_str(&f->head), f->head.len, last);
    else
        reader_close(e, r);
    wish_free(f);
}

void follow_refuse(struct follow *f)
{
    (void)!client_write_last(&f->client, sb_str(&f->refusal), f->refusal.len);      /* a socket takes far more */
    wish_free(f);
}

static void on_follow(struct engine *e, struct mail *m)
{
    struct follow *f = OF(struct follow, mail, m);
    struct stream *s = find(e, f);
    const struct job *j = s ? s->job : NULL;

    if (!s) {
        follow_refuse(f);
        return;
    }
    if (j)
        relay_read(e, s->job);
    sb_puts(&f->head, ": weir\n\n");
    stream_log_replay(&s->log, f->after, j ? &j->answer : &s->text, j ? &j->reasoning : &s->reasoning, &f->head);
    follow_join(e, s, f, !j);
}

void engine_follow(struct engine *e, struct follow *f)
{
    f->mail.deliver = on_follow;
    engine_post(e, &f->mail);
}
