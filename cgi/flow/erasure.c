/* erasure.c - an operation may run twice, so each counts for itself and is added when it is committed. */
#include "flow/erasure.h"

#include <string.h>

#include "store/content_key.h"

enum { STEP_SESSIONS = 50 };

struct erasure {
    struct write_op op;
    const struct person *p;
    const struct audit_entry *entry;
    int64_t from, next;                    /* where metadata is looked for; see person_erase_some() */
    struct person_gone gone;
};

static void add(struct person_gone *to, const struct person_gone *g)
{
    to->sessions += g->sessions;
    to->texts += g->texts;
    to->tokens += g->tokens;
    to->requests += g->requests;
    if (*g->pseudonym)
        memcpy(to->pseudonym, g->pseudonym, sizeof to->pseudonym);
}

static enum weir_err run_begin(struct db *db, struct write_op *op)
{
    struct erasure *x = (struct erasure *)op;
    enum weir_err e;

    x->gone = (struct person_gone){.sessions = 0};
    e = person_close(db, x->p, x->entry->at_ms, &x->gone);
    return e ? e : audit_add(db, x->entry);
}

static enum weir_err run_some(struct db *db, struct write_op *op)
{
    struct erasure *x = (struct erasure *)op;

    x->gone = (struct person_gone){.sessions = 0};
    x->next = x->from;
    return person_erase_some(db, x->p, STEP_SESSIONS, &x->next, &x->gone);
}

enum weir_err erasure_begin(struct writer *w, const struct person *p, const struct audit_entry *entry, struct person_gone *gone)
{
    struct erasure x = {.op.run = run_begin, .p = p, .entry = entry};
    enum weir_err e = writer_call(w, &x.op);

    if (!e)
        add(gone, &x.gone);
    return e;
}

enum weir_err erasure_finish(struct writer *w, const struct person *p, struct person_gone *gone)
{
    struct erasure x = {.op.run = run_some, .p = p};
    enum weir_err e = WEIR_OK;

    while (!e && x.from >= 0) {
        e = writer_call(w, &x.op);
        if (!e)
            add(gone, &x.gone);
        x.from = x.next;
    }
    return e ? e : content_key_destroy(p->user);
}
