/* marks.c - how far running answers have come, so that a kill -9 does not lose
 * what was seen: every two seconds, and after 500 tokens of one of them, all
 * that has grown goes to the writer as one operation. The next start charges
 * and shows what was marked. Tokens are pieces, or where pieces are many tokens
 * long, quarters of their bytes, and never more than were asked for: the
 * settlement counts them anew. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/engine_impl.h"

enum { MARK_US = 2 * 1000 * 1000, MARK_TOKENS = 500, PIECE_BYTES = 8, TOKEN_BYTES = 4, TEXT_SHARE = 16 };

/* What the writer has in hand. */
struct marks {
    struct write_op op;
    struct mail mail;
    struct engine *engine;
    struct usage_mark *mark;
    size_t n;
};

int64_t marks_tokens(const struct job *j)
{
    int64_t bytes = (int64_t)(j->answer.len + j->reasoning.len) + j->unshown_bytes;

    return bytes <= j->chunks * PIECE_BYTES ? j->chunks : bytes / TOKEN_BYTES;
}

static void marks_free(struct marks *m)
{
    for (size_t i = 0; m && i < m->n; i++) {
        free(m->mark[i].text);
        free(m->mark[i].reasoning);
    }
    if (m)
        free(m->mark);
    free(m);
}

static enum weir_err run(struct db *db, struct write_op *op)
{
    const struct marks *m = (const struct marks *)op;
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < m->n; i++)
        e = usage_mark(db, &m->mark[i]);
    return e;
}

static void written(struct engine *e, struct mail *mail)
{
    marks_free(e->marks);
    e->marks = NULL;
    (void)mail;
}

/* On the writer's thread. One that was not written is made up for by the next. */
static void done(struct write_op *op, enum weir_err result)
{
    struct marks *m = (struct marks *)op;

    (void)result;
    m->mail.deliver = written;
    engine_post(m->engine, &m->mail);
}

/* A text goes with its tokens when a sixteenth of it is new, so that a long answer is not written over and over. */
static void add(struct marks *m, struct job *j, int64_t tokens)
{
    size_t bytes = j->answer.len + j->reasoning.len;
    int64_t charged = tokens < j->rec.max_tokens ? tokens : j->rec.max_tokens;
    struct usage_mark *u;

    m->mark = mem_grow(m->mark, m->n + 1, sizeof *m->mark);
    u = &m->mark[m->n++];
    memset(u, 0, sizeof *u);
    memcpy(u->request_id, j->rec.request_id, sizeof u->request_id);
    u->completion = j->rec.usage.completion + charged;
    u->cost_out = j->rec.cost.output + (j->rec.cost.priced ? charged * j->rec.cost.rate_out : 0);
    j->marked = tokens;
    if (bytes == j->marked_bytes || bytes - j->marked_bytes < j->marked_bytes / TEXT_SHARE)
        return;
    u->text = settle_text(&j->answer, &u->text_bytes);
    u->reasoning = settle_text(&j->reasoning, &u->reasoning_bytes);
    j->marked_bytes = bytes;
}

void marks_tick(struct engine *e)
{
    bool due = e->now_us - e->marked_us >= MARK_US;
    struct marks *m = NULL;

    if (e->marks || !writer_healthy(e->w))
        return;
    for (struct job *j = e->jobs; j; j = j->next) {
        int64_t tokens;

        if (j->state != JOB_STREAMING || j->ending || j->writing != OP_NONE)
            continue;
        tokens = marks_tokens(j);
        if (due ? tokens == j->marked : tokens - j->marked < MARK_TOKENS)
            continue;
        if (!m)
            m = mem_zalloc(1, sizeof *m);
        add(m, j, tokens);
    }
    if (due)
        e->marked_us = e->now_us;
    if (!m)
        return;
    m->engine = e;
    m->op.run = run;
    m->op.done = done;
    e->marks = m;
    writer_submit(e->w, &m->op);
}
