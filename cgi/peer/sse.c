/* sse.c - lines, then events. Bytes are copied only where a line or an event
 * reaches over the end of a piece. */
#include "peer/sse.h"

#include <stdlib.h>
#include <string.h>

/* Where the data of the event being read lies: still in the caller's piece, or copied. */
struct pass {
    struct sse *s;
    const char *lone;        /* its one data line, when that lies in this piece; NULL: s->data has it */
    size_t lone_len;
    sse_event_fn *fn;
    void *ctx;
};

static enum weir_err append(char **buf, size_t *len, size_t *cap, const char *p, size_t n)
{
    if (n == 0)
        return WEIR_OK;
    if (n > SSE_EVENT_MAX - *len)
        return WEIR_E_UPSTREAM_TOO_LARGE;
    if (*len + n > *cap) {
        size_t want = *cap ? *cap : 512;
        char *grown;

        while (want < *len + n)
            want *= 2;
        grown = realloc(*buf, want);
        if (!grown)
            return WEIR_E_UPSTREAM_TOO_LARGE;
        *buf = grown;
        *cap = want;
    }
    memcpy(*buf + *len, p, n);
    *len += n;
    return WEIR_OK;
}

/* gcc 12 loses sight of a buffer that is kept through the pointer it was given. */
#if defined __GNUC__ && !defined __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* Copy the lone line, which is about to be joined or to outlive its piece. */
static enum weir_err settle_lone(struct pass *a)
{
    enum weir_err e = WEIR_OK;

    if (a->lone)
        e = append(&a->s->data, &a->s->data_len, &a->s->data_cap, a->lone, a->lone_len);
    a->lone = NULL;
    return e;
}

static enum weir_err event_end(struct pass *a)
{
    struct sse *s = a->s;
    const char *data = a->lone ? a->lone : s->data;
    size_t n = a->lone ? a->lone_len : s->data_len;
    enum weir_err e = WEIR_OK;

    if (s->has_data) {
        a->lone = NULL;
        s->has_data = false;
        s->data_len = 0;
        e = a->fn(a->ctx, n ? data : "", n);
    }
    s->name[0] = '\0';
    return e;
}

/* What follows "event:". */
static void take_name(struct sse *s, const char *p, size_t n)
{
    size_t blank = n > 0 && *p == ' ', len = n - blank < SSE_NAME_MAX ? n - blank : SSE_NAME_MAX;

    memcpy(s->name, p + blank, len);
    s->name[len] = '\0';
}

/* One line without its end. `stays`: it lies in the caller's piece, not in s->line. */
static enum weir_err line_end(struct pass *a, const char *p, size_t n, bool stays)
{
    struct sse *s = a->s;
    enum weir_err e;

    if (n == 0)
        return event_end(a);
    if (n < 4 || memcmp(p, "data", 4) != 0 || (n > 4 && p[4] != ':')) {
        if (n >= 6 && memcmp(p, "event:", 6) == 0)
            take_name(s, p + 6, n - 6);
        return WEIR_OK;                      /* a comment, or a field of no use here */
    }
    p += n > 4 ? 5 : 4;
    n -= n > 4 ? 5 : 4;
    if (n > 0 && *p == ' ') {
        p++;
        n--;
    }
    if (!s->has_data) {
        s->has_data = true;
        s->data_len = 0;
        if (stays) {
            a->lone = p;
            a->lone_len = n;
            return WEIR_OK;
        }
        return append(&s->data, &s->data_len, &s->data_cap, p, n);
    }
    e = settle_lone(a);
    if (!e)
        e = append(&s->data, &s->data_len, &s->data_cap, "\n", 1);
    if (!e)
        e = append(&s->data, &s->data_len, &s->data_cap, p, n);
    return e;
}

/* The first LF or CR in [p, end), or NULL. */
static const char *find_end(const char *p, const char *end)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    const char *cr = memchr(p, '\r', (size_t)((lf ? lf : end) - p));

    return cr ? cr : lf;
}

enum weir_err sse_feed(struct sse *s, const char *p, size_t n, sse_event_fn *fn, void *ctx)
{
    struct pass a = {.s = s, .fn = fn, .ctx = ctx};
    const char *end = p + n;
    enum weir_err e = WEIR_OK;

    while (p < end && !e) {
        const char *stop;

        if (s->after_cr && *p == '\n') {
            s->after_cr = false;
            p++;
            continue;
        }
        s->after_cr = false;
        stop = find_end(p, end);
        if (!stop) {
            e = append(&s->line, &s->line_len, &s->line_cap, p, (size_t)(end - p));
            break;
        }
        if (s->line_len > 0) {
            e = append(&s->line, &s->line_len, &s->line_cap, p, (size_t)(stop - p));
            if (!e)
                e = line_end(&a, s->line, s->line_len, false);
            s->line_len = 0;
        } else if (stop - p > SSE_EVENT_MAX) {
            e = WEIR_E_UPSTREAM_TOO_LARGE;
        } else {
            e = line_end(&a, p, (size_t)(stop - p), true);
        }
        s->after_cr = *stop == '\r';
        p = stop + 1;
    }
    if (!e)
        e = settle_lone(&a);
    return e;
}

enum weir_err sse_end(struct sse *s, sse_event_fn *fn, void *ctx)
{
    struct pass a = {.s = s, .fn = fn, .ctx = ctx};

    return event_end(&a);
}

void sse_done(struct sse *s)
{
    free(s->line);
    free(s->data);
    *s = (struct sse){0};
}
