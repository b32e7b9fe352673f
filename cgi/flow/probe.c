/* probe.c - a stream of Weir's own making: whoever reads it can measure whether its
 * pieces arrive one by one, as they leave here, or are held together on the way.
 *
 * No job: it costs nothing, waits in no line and leaves no record. It is a stream
 * that one reader reads from its beginning and that is not kept (follow.c), each
 * piece an event as large as a word of an answer. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/engine_impl.h"

enum { PIECES = 20, PROBES_MAX = 8 };
enum { GAP_US = 100 * 1000 };

struct probe {
    struct stream stream;
    int said;
    int64_t due_us;                  /* the next piece; after the last, when a socket that has not taken it is closed */
    struct probe *next;
};

static void say(struct engine *e, struct probe *p)
{
    struct sb event = sb_make(256);

    p->said++;
    p->due_us = e->now_us + (p->said < PIECES ? GAP_US : STUCK_US);
    sb_putf(&event, "id: %d\nevent: piece\ndata: {\"n\":%d,\"of\":%d}\n\n", p->said, p->said, (int)PIECES);
    follow_say(e, &p->stream, sb_str(&event), event.len, p->said == PIECES);
    sb_done(&event);
}

static void end(struct engine *e, struct probe *p)
{
    struct probe **at = &e->probes;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    while (p->stream.readers)
        follow_reader_gone(e, p->stream.readers);
    free(p);
}

void probe_turn(struct engine *e)
{
    for (struct probe *p = e->probes, *next; p; p = next) {
        next = p->next;
        if (p->stream.readers && !e->stopping && p->said < PIECES && p->due_us <= e->now_us)
            say(e, p);
        if (!p->stream.readers || e->stopping || (p->said == PIECES && p->due_us <= e->now_us))
            end(e, p);
    }
}

int64_t probe_due_us(const struct engine *e)
{
    int64_t due = INT64_MAX;

    for (const struct probe *p = e->probes; p; p = p->next)
        due = p->due_us < due ? p->due_us : due;
    return due;
}

void probe_done(struct engine *e)
{
    while (e->probes)
        end(e, e->probes);
}

/* One for each user, and few of all. */
static bool may(const struct engine *e, const char *user_id)
{
    size_t n = 0;

    for (const struct probe *p = e->probes; p; p = p->next, n++)
        if (strcmp(p->stream.user_id, user_id) == 0)
            return false;
    return n < PROBES_MAX;
}

static void on_probe(struct engine *e, struct mail *m)
{
    struct follow *f = OF(struct follow, mail, m);
    struct probe *p;

    if (!may(e, f->user_id)) {
        follow_refuse(f);
        return;
    }
    sb_puts(&f->head, ": weir\n\n");
    p = mem_zalloc(1, sizeof *p);
    memcpy(p->stream.user_id, f->user_id, sizeof p->stream.user_id);
    p->due_us = e->now_us + GAP_US;
    p->next = e->probes;
    e->probes = p;
    follow_join(e, &p->stream, f, false);
}

void engine_probe(struct engine *e, struct follow *f)
{
    f->mail.deliver = on_probe;
    engine_post(e, &f->mail);
}
