/* stream_log.c - see stream_log.h. */
#include "flow/stream_log.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
    BYTES_MAX = 1024 * 1024,
    GAUGES_MAX = 8 * 1024,           /* of gauges, beyond which all but the newest go */
};

struct stream_mark {
    uint32_t kind : 2, n : 30;       /* n: bytes in `bytes`, 0 for one that was left out; or of a delta's text */
};

struct stream_log stream_log_make(void)
{
    return (struct stream_log){.bytes = sb_make(BYTES_MAX)};
}

void stream_log_done(struct stream_log *l)
{
    free(l->marks);
    sb_done(&l->bytes);
    *l = (struct stream_log){0};
}

static void add(struct stream_log *l, enum stream_event kind, size_t n)
{
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 32;
        l->marks = mem_grow(l->marks, l->room, sizeof *l->marks);
    }
    l->marks[l->count++] = (struct stream_mark){.kind = (unsigned)kind & 3, .n = n & 0x3fffffff};
}

static bool is_delta(const struct stream_mark *m)
{
    return m->kind == STREAM_TEXT || m->kind == STREAM_REASONING;
}

/* What gauges said has been said again since. */
static void drop_gauges(struct stream_log *l)
{
    struct sb kept = sb_make(BYTES_MAX);
    size_t at = 0;

    for (size_t i = 0; i < l->count; i++) {
        struct stream_mark *m = &l->marks[i];

        if (is_delta(m))
            continue;
        if (m->kind == STREAM_EVENT)
            sb_put(&kept, sb_str(&l->bytes) + at, m->n);
        at += m->n;
        if (m->kind == STREAM_GAUGE)
            m->n = 0;
    }
    sb_done(&l->bytes);
    l->bytes = kept;
    l->gauge_bytes = 0;
}

void stream_log_event(struct stream_log *l, enum stream_event kind, const char *bytes, size_t n)
{
    if (kind == STREAM_GAUGE && l->gauge_bytes + n > GAUGES_MAX)
        drop_gauges(l);
    sb_put(&l->bytes, bytes, n);
    if (!sb_ok(&l->bytes))
        n = 0;                       /* far more than a stream has to say beside its text: what follows is not kept */
    if (kind == STREAM_GAUGE)
        l->gauge_bytes += n;
    add(l, kind, n);
}

void stream_log_delta(struct stream_log *l, enum stream_event kind, size_t n)
{
    add(l, kind, n);
}

void stream_delta_put(struct sb *out, int64_t id, enum stream_event kind, const char *raw, size_t n)
{
    sb_puts(out, "id: ");
    sb_i64(out, id);
    sb_puts(out, "\nevent: delta\ndata: {\"");
    sb_puts(out, kind == STREAM_TEXT ? "text" : "reasoning");
    sb_puts(out, "\":\"");
    sb_put(out, raw, n);
    sb_puts(out, "\"}\n\n");
}

void stream_log_replay(const struct stream_log *l, int64_t after, const struct sb *text, const struct sb *reasoning, struct sb *out)
{
    const char *const of[] = {
        [STREAM_EVENT] = sb_str(&l->bytes), [STREAM_TEXT] = sb_str(text), [STREAM_REASONING] = sb_str(reasoning),
    };
    size_t at[] = {[STREAM_EVENT] = 0, [STREAM_TEXT] = 0, [STREAM_REASONING] = 0};

    for (size_t i = 0; i < l->count; i++) {
        const struct stream_mark *m = &l->marks[i];
        enum stream_event from = is_delta(m) ? (enum stream_event)m->kind : STREAM_EVENT;
        const char *p = of[from] + at[from];

        at[from] += m->n;
        if ((int64_t)i < after)
            continue;
        if (is_delta(m))
            stream_delta_put(out, (int64_t)i + 1, from, p, m->n);
        else
            sb_put(out, p, m->n);
    }
}

size_t stream_log_size(const struct stream_log *l)
{
    return l->room * sizeof *l->marks + l->bytes.cap;
}
