/* once.c - see once.h. */
#include "flow/once.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

struct once *once_new(const struct call_record *r, const struct idempotency_key *k)
{
    struct once *o = mem_zalloc(1, sizeof *o);

    o->key = *k;
    o->key.endpoint = r->api_endpoint;
    once_move(o, r);
    o->said = sb_make(IDEMPOTENCY_ANSWER_MAX);
    return o;
}

void once_move(struct once *o, const struct call_record *r)
{
    if (o->taken)
        return;
    o->key.user_id = r->user_id;
    memcpy(o->request_id, r->request_id, sizeof o->request_id);
}

void once_free(struct once *o)
{
    if (!o)
        return;
    sb_done(&o->said);
    free(o);
}

/* --- on the writer's thread --- */

static enum weir_err run_answer(struct db *db, struct write_op *op)
{
    const struct once *o = (const struct once *)op;
    bool whole = sb_ok(&o->said) && o->said.len > 0;

    return idempotency_answer(db, o->request_id, whole ? sb_str(&o->said) : NULL, o->said.len);
}

static enum weir_err run_free(struct db *db, struct write_op *op)
{
    return idempotency_free(db, ((const struct once *)op)->request_id);
}

static void ended(struct write_op *op, enum weir_err result)
{
    struct once *o = (struct once *)op;

    if (result)
        log_warn("idempotency: what %s was answered could not be stored; whoever sends its key again hears that it is running until "
                 "Weir starts anew", o->request_id);
    once_free(o);
}

void once_end(struct once *o, struct writer *w, bool keep)
{
    o->op = (struct write_op){.run = keep ? run_answer : run_free, .done = ended};
    writer_submit(w, &o->op);
}
