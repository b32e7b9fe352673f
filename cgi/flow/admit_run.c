/* admit_run.c - calls: what they are expected to take, what they produce, how they end. */
#include "flow/admit_state.h"

int64_t admit_expects(const struct admit *a, const struct admit_ticket *t)
{
    const struct item *it = &a->pick.queue.item[t->item];

    return it->input + it->want_output;
}

void admit_topup(struct admit *a, struct admit_ticket *t, int64_t output_tokens, int64_t now_us)
{
    struct item *it = item_of(a, t);
    struct limits *l = &a->pick.limits[upstream_of(a, t)->group];
    int64_t reserve = output_tokens + output_tokens / 4 + 16;

    limits_tick(l, now_us);
    if (reserve > it->max_output)
        reserve = it->max_output > output_tokens ? it->max_output : output_tokens;
    if (output_tokens > 0 && !it->hold.told)
        admit_changed(a);                        /* not all that is set aside for it may be there already */
    limits_produced(l, &it->hold, output_tokens, reserve);
}

/* What a call that ended tells about the next ones. */
static void learn(struct admit *a, const struct admit_ticket *t, int64_t output, int64_t now_us)
{
    struct pick_upstream *u = upstream_of(a, t);
    int64_t took = now_us - item_of(a, t)->began_us;

    learned_tell(&a->learned, t->model, t->user, output);
    if (u->calls < PICK_CALLS_ENOUGH)
        u->calls++;
    if (u->call_output == 0) {
        u->call_us = took;
        u->call_output = output > 0 ? output : 1;
        return;
    }
    u->call_us += (took - u->call_us) / 16;
    u->call_output += (output - u->call_output) / 16;
    if (u->call_output < 1)
        u->call_output = 1;
}

void admit_settle(struct admit *a, struct admit_ticket *t, int64_t input_tokens, int64_t output_tokens, int64_t now_us)
{
    limits_tick(&a->pick.limits[upstream_of(a, t)->group], now_us);
    learn(a, t, output_tokens, now_us);
    if (output_tokens > 0)
        pick_answered(&a->pick, item_of(a, t)->upstream);
    pick_settle(&a->pick, t->item, input_tokens, output_tokens);
    admit_drop(a, t, now_us);
}

void admit_release(struct admit *a, struct admit_ticket *t, int64_t now_us)
{
    limits_tick(&a->pick.limits[upstream_of(a, t)->group], now_us);
    pick_release(&a->pick, t->item, false);
    admit_drop(a, t, now_us);
}
