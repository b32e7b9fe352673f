/* share.c - one answer for all who ask the same and allow it: from the cache, or
 * of the call that is under way.
 *
 * Who is served so has no ticket, no attempt and no cost; its record says what
 * was saved. Who waits for another's call and finds that it failed lines up
 * after all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/engine_impl.h"

/* Only whole answers in words are kept: what else a provider may say (tool calls, further choices) is for who asked. So are
 * thoughts, where they are signed: without that nobody takes them back. */
static bool may_be_kept(const struct job *j)
{
    return j->end.err == WEIR_OK && j->end.status == CALL_SUCCESS && j->end.finish && strcmp(j->end.finish, "stop") == 0 &&
           j->answer.len > 0 && j->call_count == 0 && j->unshown_bytes == 0 && (j->wire != WIRE_MESSAGES || j->reasoning.len == 0);
}

/* The words, as if they came from a provider this moment. */
static void give(struct engine *e, struct job *j, const struct cache_entry *from)
{
    j->rec.from_cache = true;
    j->rec.saved = from->cost;
    j->rec.saved_priced = from->priced;
    for (size_t i = 0; j->candidates && i < j->ask.candidate_count; i++)
        if (strcmp(j->candidates[i].model, from->model) == 0)
            job_choose(j, (int)i);
    j->first_sent_us = j->sent_us = e->now_us;
    relay_start(e, j);
    if (from->reasoning.len) {
        sb_put(&j->reasoning, sb_str(&from->reasoning), from->reasoning.len);
        relay_delta(e, j, STREAM_REASONING, sb_str(&from->reasoning), from->reasoning.len);
    }
    sb_put(&j->answer, sb_str(&from->text), from->text.len);
    relay_delta(e, j, STREAM_TEXT, sb_str(&from->text), from->text.len);
    conduct_end(e, j, (struct job_end){.status = CALL_SUCCESS, .finish = "stop", .retry_after_ms = -1});
}

bool share_arrive(struct engine *e, struct job *j)
{
    struct cache_entry *c = j->cache ? cache_find(&e->cache, j->cache_key, e->now_us) : NULL;

    if (!j->cache)
        return false;
    if (!c) {
        j->entry = cache_begin(&e->cache, j->cache_key, j);
        j->leads = j->entry != NULL;
        return false;
    }
    j->shared = true;
    if (c->leader) {
        j->entry = c;
        j->waits_next = c->waiting;
        c->waiting = j;
    }
    return true;
}

void share_recorded(struct engine *e, struct job *j)
{
    struct cache_entry *c = j->entry ? j->entry : cache_find(&e->cache, j->cache_key, e->now_us);

    if (c && !c->leader)
        give(e, j, c);
    else if (!c)
        conduct_line_up(e, j);       /* it has gone in this moment */
}

/* Those who waited: with the answer, or on their own. */
static void release(struct engine *e, struct job *waiting, const struct cache_entry *answer)
{
    while (waiting) {
        struct job *j = waiting;

        waiting = j->waits_next;
        j->waits_next = NULL;
        j->entry = NULL;
        if (j->ending)
            continue;
        if (!answer)
            conduct_line_up(e, j);
        else if (j->state == JOB_QUEUED)
            give(e, j, answer);
    }
}

static void stop_waiting(struct job *j)
{
    struct job **at = &j->entry->waiting;

    while (*at != j)
        at = &(*at)->waits_next;
    *at = j->waits_next;
    j->waits_next = NULL;
    j->entry = NULL;
}

void share_ended(struct engine *e, struct job *j)
{
    struct cache_entry *c = j->entry;
    struct job *waiting;
    bool keep;

    if (!c)
        return;
    if (!j->leads) {
        stop_waiting(j);
        return;
    }
    j->entry = NULL;
    waiting = c->waiting;
    c->waiting = NULL;
    keep = may_be_kept(j);
    if (keep) {
        c->text = sb_make(j->answer.len + 1);
        c->reasoning = sb_make(j->reasoning.len + 1);
        sb_put(&c->text, sb_str(&j->answer), j->answer.len);
        sb_put(&c->reasoning, sb_str(&j->reasoning), j->reasoning.len);
        (void)snprintf(c->model, sizeof c->model, "%s", j->rec.model);
        c->priced = j->rec.cost.priced;
        c->cost = j->rec.cost.total;
    }
    release(e, waiting, keep ? c : NULL);
    if (keep)
        cache_fill(&e->cache, c, e->now_us + e->s->cache.ttl_us, (size_t)e->s->cache.max_bytes);
    else
        cache_drop(&e->cache, c);
}
