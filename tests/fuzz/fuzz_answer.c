/* fuzz_answer.c - whatever a provider sends, in whichever pieces, is read the
 * same way, and what is passed on is always the content of a JSON string.
 *
 * The first byte of an input says how large the pieces are; the rest is the
 * body, taken once as an event stream and once as a whole answer, by each kind's reader. */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "peer/sse.h"
#include "peer/wire.h"

struct heard {
    const struct wire_reader *reader;
    struct provider_reply r;
    struct sb text;
};

const size_t fuzz_neighbours = 3000;

static void on_text(void *ctx, const char *raw, size_t n)
{
    struct heard *h = ctx;

    sb_put(&h->text, raw, n);
}

static void on_call(void *ctx, const struct wire_piece *p)
{
    on_text(ctx, p->id.p, p->id.n);
    on_text(ctx, p->name.p, p->name.n);
    on_text(ctx, p->arguments.p, p->arguments.n);
}

static enum weir_err on_event(void *ctx, const char *data, size_t n)
{
    struct provider_sink sink = {on_text, on_text, on_call, ctx};
    struct heard *h = ctx;

    return h->reader->read(&h->r, data, n, &sink);
}

/* Each piece in memory of its own, so that a step beyond its end is seen. */
static enum weir_err feed(struct sse *s, const char *p, size_t n, struct heard *h)
{
    char *copy = malloc(n ? n : 1);
    enum weir_err e;

    memcpy(copy, p, n);
    e = sse_feed(s, copy, n, on_event, h);
    free(copy);
    return e;
}

static void read_stream(const char *p, size_t n, size_t piece, struct heard *h)
{
    struct sse s = {0};
    enum weir_err e = WEIR_OK;

    for (size_t at = 0; at < n && !e; at += piece)
        e = feed(&s, p + at, n - at < piece ? n - at : piece, h);
    if (!e)
        e = sse_end(&s, on_event, h);
    sse_done(&s);
}

/* What was passed on can stand between quotes, and its decoded form is UTF-8 and not longer. */
static void check_text(const struct heard *h)
{
    struct sb quoted = sb_make(1 << 21);
    struct span whole;
    struct scan s;
    char *decoded = malloc(h->text.len + 1);
    size_t n;

    sb_putc(&quoted, '"');
    sb_put(&quoted, sb_str(&h->text), h->text.len);
    sb_putc(&quoted, '"');
    s = scan_make(sb_str(&quoted), quoted.len);
    must(scan_string(&s, &whole) && scan_ok(&s));
    n = span_decode(whole, decoded);
    must(n <= whole.n);
    must(utf8_valid(decoded, n) == n);
    free(decoded);
    sb_done(&quoted);
}

static void check_stream(const struct wire_reader *reader, const char *p, size_t n, size_t piece)
{
    struct heard whole = {.reader = reader, .text = sb_make(1 << 20)}, cut = whole;

    read_stream(p, n, n ? n : 1, &whole);
    read_stream(p, n, piece, &cut);
    must(whole.text.len == cut.text.len && memcmp(sb_str(&whole.text), sb_str(&cut.text), cut.text.len) == 0);
    whole.r.figures.p = cut.r.figures.p = NULL;         /* each in a copy of its own */
    must(memcmp(&whole.r, &cut.r, sizeof whole.r) == 0);
    check_text(&whole);
    sb_done(&whole.text);
    sb_done(&cut.text);
}

static void check_answer(const struct wire_reader *reader, const char *p, size_t n)
{
    struct heard h = {.reader = reader, .text = sb_make(1 << 20)};

    (void)on_event(&h, p, n);
    check_text(&h);
    sb_done(&h.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *body;

    if (n == 0)
        return 0;
    body = malloc(n);
    memcpy(body, data + 1, n - 1);
    for (enum wire w = WIRE_OWN + 1; w < WIRE_COUNT; w++) {
        check_stream(wire_reader(w), body, n - 1, (size_t)data[0] + 1);
        check_answer(wire_reader(w), body, n - 1);
    }
    free(body);
    return 0;
}
