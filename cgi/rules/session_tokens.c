/* session_tokens.c - one count for each session seen lately. */
#include "rules/session_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { LOOKED_AT = 2 };          /* entries looked at for one that may go, whenever one is added */

void session_tokens_tick(struct session_tokens *t, const struct session_limit *l, int64_t now_ms)
{
    if (t->until_ms - now_ms > l->cooldown_ms)
        t->until_ms = now_ms + l->cooldown_ms;
    if (t->until_ms && now_ms >= t->until_ms)
        *t = (struct session_tokens){0, 0};
}

void session_tokens_add(struct session_tokens *t, const struct session_limit *l, int64_t tokens, int64_t ended_ms)
{
    if (t->until_ms && ended_ms >= t->until_ms)
        *t = (struct session_tokens){0, 0};
    t->used += tokens;
    if (l->max > 0 && t->used >= l->max && !t->until_ms)
        t->until_ms = ended_ms + l->cooldown_ms;
}

/* --- the book --- */

void session_book_done(struct session_book *b)
{
    idmap_done(&b->index);
    free(b->entry);
    memset(b, 0, sizeof *b);
}

static struct session_entry *find(const struct session_book *b, uint64_t session)
{
    uint32_t i = idmap_get(&b->index, session);

    return i == IDMAP_NONE ? NULL : &b->entry[i];
}

/* The last entry takes the place of one that goes. */
static void forget(struct session_book *b, uint32_t i)
{
    idmap_remove(&b->index, b->entry[i].session);
    b->count--;
    if (i == b->count)
        return;
    b->entry[i] = b->entry[b->count];
    idmap_set(&b->index, b->entry[i].session, i);
}

static void prune(struct session_book *b, int64_t now_ms)
{
    for (int i = 0; b->entry && i < LOOKED_AT && b->count > 0; i++) {
        const struct session_entry *e = &b->entry[b->hand %= b->count];

        if (e->held == 0 && now_ms - e->touched_ms > SESSION_KEPT_MS)
            forget(b, b->hand);
        else
            b->hand++;
    }
}

static struct session_entry *find_or_add(struct session_book *b, uint64_t session, const struct session_tokens *known, int64_t now_ms)
{
    struct session_entry *e = find(b, session);

    if (e)
        return e;
    prune(b, now_ms);
    if (!b->entry || b->count == b->cap) {
        b->cap = b->cap * 2 + 64;
        b->entry = mem_grow(b->entry, b->cap, sizeof *b->entry);
    }
    e = &b->entry[b->count];
    *e = (struct session_entry){.session = session, .tokens = *known};
    idmap_set(&b->index, session, b->count++);
    return e;
}

bool session_book_may(const struct session_book *b, const struct session_limit *l, uint64_t session,
                      const struct session_tokens *known, int64_t now_ms, struct session_tokens *now, int64_t *wait_ms)
{
    const struct session_entry *e = find(b, session);

    *now = e ? e->tokens : *known;
    session_tokens_tick(now, l, now_ms);
    *wait_ms = -1;
    if (l->max <= 0)
        return true;
    if (now->until_ms)
        *wait_ms = now->until_ms - now_ms;
    else if (now->used + (e ? e->held : 0) >= l->max)
        *wait_ms = l->cooldown_ms;
    return *wait_ms < 0;
}

void session_book_hold(struct session_book *b, const struct session_limit *l, uint64_t session,
                       const struct session_tokens *known, int64_t tokens, int64_t now_ms)
{
    struct session_entry *e = find_or_add(b, session, known, now_ms);

    session_tokens_tick(&e->tokens, l, now_ms);
    e->held += tokens;
    e->touched_ms = now_ms;
}

void session_book_release(struct session_book *b, uint64_t session, int64_t held)
{
    struct session_entry *e = find(b, session);

    if (e)
        e->held -= held;
}

void session_book_settle(struct session_book *b, const struct session_limit *l, uint64_t session, int64_t held, int64_t tokens,
                         int64_t ended_ms)
{
    struct session_entry *e = find(b, session);

    if (!e)
        return;
    e->held -= held;
    e->touched_ms = ended_ms;
    session_tokens_add(&e->tokens, l, tokens, ended_ms);
}
