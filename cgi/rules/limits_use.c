/* limits_use.c - what calls take: set aside, produced, settled or given back. */
#include "rules/limits_inside.h"

#define SECOND_US INT64_C(1000000)
/* The speed of a stream is looked at over so long at the least, and a faster one is forgotten over so many looks; a surprise, and
 * what was hidden, over so many calls. */
#define SPEED_LEAST_US (INT64_C(100) * 1000)
enum { SPEED_FORGETS = 64, SURPRISE_FORGETS = 1024, HIDDEN_FORGETS = 64 };

struct limits_hold limits_take(struct limits *l, const struct limits_need *need)
{
    struct limits_hold h = {.at_us = l->now_us, .input = need->input, .output = need->output,
                            .produced_us = l->now_us, .output_at_start = need->output_at_start};

    l->last_start_us = l->now_us;
    if (!need->output_at_start) {
        l->streams.untold++;
        l->streams.untold_output += need->output;
    }
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];
        int64_t n = limits_amount((enum dim)i, need->input, need->output);

        limits_catch_up(l, d);
        if (d->limit)
            bucket_take(&d->bucket, n);
        if (limits_counts_output((enum dim)i) && !need->output_at_start) {
            d->held += need->output;
            window_add(&d->window, n - need->output);
        } else {
            window_add(&d->window, n);
        }
        if (limits_counts_input((enum dim)i) || limits_counts_output((enum dim)i))
            d->open += n;
    }
    return h;
}

struct limits_hold limits_resume(struct limits *l, int64_t input, int64_t output)
{
    l->streams.told++;
    for (int i = 0; i < DIM_COUNT; i++)
        if (limits_counts_input((enum dim)i) || limits_counts_output((enum dim)i))
            l->dim[i].open += limits_amount((enum dim)i, input, output);
    return (struct limits_hold){.at_us = l->now_us, .input = input, .output = output, .produced = output, .produced_us = l->now_us, .told = true};
}

/* A stream is no longer among those that nothing is known of. */
static void streams_leave_untold(struct limits *l, const struct limits_hold *h)
{
    l->streams.untold--;
    l->streams.untold_output -= h->output;
}

static void streams_leave(struct limits *l, const struct limits_hold *h)
{
    if (h->output_at_start)
        return;
    if (h->told)
        l->streams.told--;
    else
        streams_leave_untold(l, h);
}

/* n output tokens that were held become used, now. */
static void dim_produce(struct limits_dim *d, int64_t n)
{
    d->held -= n;
    window_add(&d->window, n);
}

/* Set n more output tokens aside, into debt if need be. */
static void dim_grow(struct limits_dim *d, int64_t n, bool output_at_start)
{
    if (d->limit)
        bucket_take(&d->bucket, n);
    d->open += n;
    if (output_at_start)
        window_add(&d->window, n);
    else
        d->held += n;
}

/* Fast streams are believed at once, slow ones bit by bit: a token too many set aside costs less than one too few. */
static void note_speed(struct limits *l, const struct limits_hold *h, int64_t fresh)
{
    int64_t took = l->now_us - h->produced_us;
    int64_t speed = took >= SPEED_LEAST_US ? fresh * SECOND_US / took : 0;

    if (speed > l->speed)
        l->speed = speed;
    else if (took >= SPEED_LEAST_US)
        l->speed -= (l->speed - speed) / SPEED_FORGETS;
}

/* So much came at once. The limits reckoned with what was set aside if it had told nothing yet, else with its speed. */
static void note_surprise(struct limits *l, const struct limits_hold *h, int64_t fresh)
{
    int64_t beyond = fresh - (h->told ? limits_each_ahead(l) : h->output);

    if (beyond > l->surprise)
        l->surprise = beyond;
}

/* What is written and told at the end only (reasoning, of some providers). A long call counts by its length, as it is more likely
 * to be under way. */
static void note_hidden(struct limits *l, const struct limits_hold *h, int64_t at_end)
{
    int64_t took_ms = (l->now_us - h->at_us) / 1000, n = at_end - limits_each_ahead(l);

    l->hidden.took_ms += took_ms - l->hidden.took_ms / HIDDEN_FORGETS;
    l->hidden.tokens_ms += (n > 0 ? n : 0) * took_ms - l->hidden.tokens_ms / HIDDEN_FORGETS;
}

void limits_produced(struct limits *l, struct limits_hold *h, int64_t output, int64_t reserve)
{
    /* Before it is outgrown: whoever is sent meanwhile must still find room when it arrives. */
    int64_t more = output + (reserve - output) / 2 > h->output ? reserve - h->output : 0;
    int64_t fresh = output - h->produced;

    if (fresh > 0 && !h->output_at_start)
        note_surprise(l, h, fresh);
    if (fresh > 0 && !h->told && !h->output_at_start) {
        streams_leave_untold(l, h);
        l->streams.told++;
        h->told = true;
    }
    for (int i = 0; i < DIM_COUNT; i++) {
        if (!limits_counts_output((enum dim)i))
            continue;
        limits_catch_up(l, &l->dim[i]);
        if (more > 0)
            dim_grow(&l->dim[i], more, h->output_at_start);
        if (fresh > 0 && !h->output_at_start)
            dim_produce(&l->dim[i], fresh);
    }
    if (more > 0) {
        h->output = reserve;
        if (!h->told && !h->output_at_start)
            l->streams.untold_output += more;
    }
    if (fresh > 0 && !h->output_at_start)
        note_speed(l, h, fresh);
    if (fresh > 0) {
        h->produced = output;
        h->produced_us = l->now_us;
    }
}

/* Input of an ended call: `reserved` counted at the start, `used` in truth. Returns the difference. */
static int64_t settle_input(struct limits_dim *d, const struct limits_hold *h, int64_t used)
{
    if (used <= h->input)
        window_amend(&d->window, h->at_us, used - h->input);
    else
        window_add(&d->window, used - h->input);
    return used - h->input;
}

/* Output. A provider that counts it at the start keeps what was not used. */
static int64_t settle_output(struct limits_dim *d, const struct limits_hold *h, int64_t used, int64_t now_us)
{
    if (h->output_at_start) {
        if (used <= h->output)
            return 0;
        window_add(&d->window, used - h->output);
    } else {
        d->held -= h->output - h->produced;
        window_amend(&d->window, now_us, used - h->produced);
    }
    return used - h->output;
}

void limits_settle(struct limits *l, const struct limits_hold *h, int64_t input, int64_t output)
{
    if (!h->output_at_start) {
        if (h->told)
            note_hidden(l, h, output - h->produced);
        l->surprise -= l->surprise / SURPRISE_FORGETS;
        note_surprise(l, h, output - h->produced);
    }
    streams_leave(l, h);
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];
        int64_t more = 0;

        limits_catch_up(l, d);
        if (limits_counts_input((enum dim)i)) {
            more += settle_input(d, h, input);
            d->open -= h->input;
        }
        if (limits_counts_output((enum dim)i)) {
            more += settle_output(d, h, output, l->now_us);
            d->open -= h->output;
        }
        if (d->limit && more > 0)
            bucket_take(&d->bucket, more);
        else if (d->limit)
            bucket_give(&d->bucket, -more);
    }
}

void limits_release(struct limits *l, const struct limits_hold *h, bool reached)
{
    streams_leave(l, h);
    for (int i = 0; i < DIM_COUNT; i++) {
        struct limits_dim *d = &l->dim[i];
        int64_t counted = 0, held = 0;

        limits_catch_up(l, d);
        if (limits_counts_input((enum dim)i)) {
            counted += h->input;
            d->open -= h->input;
        }
        if (limits_counts_output((enum dim)i)) {
            counted += h->output_at_start ? h->output : 0;
            held = h->output_at_start ? 0 : h->output - h->produced;
            d->open -= h->output;
        }
        if (!limits_counts_input((enum dim)i) && !limits_counts_output((enum dim)i))
            counted = reached ? 0 : 1;
        window_amend(&d->window, h->at_us, -counted);
        d->held -= held;
        if (d->limit)
            bucket_give(&d->bucket, counted + held);
    }
}
