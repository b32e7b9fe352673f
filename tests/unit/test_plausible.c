/* test_plausible.c - forgotten, absurd and doubtful figures of providers. */
#include "rules/plausible.h"
#include "unit.h"

#define YES true
#define NO false

START_TEST(what_is_believed_what_is_counted_and_what_is_flagged)
{
    static const struct {
        struct usage_claim claim;
        int64_t prompt, completion;
        bool estimated, suspect;
    } table[] = {
        /* has p, has c, {prompt, cached, write, write 1h, completion, reasoning}, own p, own c, window */
        {{YES, YES, {19, 4, 0, 0, 10, 0, 0}, 18, 10, 8000}, 19, 10, NO, NO},
        {{YES, YES, {0}, 0, 0, 8000}, 0, 0, NO, NO},
        {{NO, NO, {0}, 18, 10, 8000}, 18, 10, YES, NO},
        {{YES, NO, {19, 0, 0, 0, 0, 0, 0}, 18, 10, 8000}, 19, 10, YES, NO},
        {{NO, YES, {0, 0, 0, 0, 10, 0, 0}, 18, 10, 8000}, 18, 10, YES, NO},
        {{YES, YES, {19, 0, 0, 0, 1, 0, 0}, 18, 12, 8000}, 19, 12, NO, YES},          /* far too little */
        {{YES, YES, {19, 0, 0, 0, 3, 0, 0}, 18, 6, 8000}, 19, 3, NO, NO},             /* a few tokens prove nothing */
        {{YES, YES, {19, 0, 0, 0, 500, 0, 0}, 18, 12, 8000}, 19, 500, NO, YES},       /* far too much: billed, flagged */
        {{YES, YES, {19, 0, 0, 0, 500, 480, 0}, 18, 12, 8000}, 19, 500, NO, NO},      /* thought, which nobody saw */
        {{YES, YES, {90, 0, 0, 0, 10, 0, 0}, 18, 10, 8000}, 90, 10, NO, YES},
        {{YES, YES, {1000000000000000000, 0, 0, 0, 10, 0, 0}, 18, 10, 8000}, 18, 10, YES, YES},
        {{YES, YES, {19, 0, 0, 0, 80001, 0, 0}, 18, 10, 8000}, 19, 10, YES, YES},     /* more than ten windows */
        {{YES, YES, {19, 0, 0, 0, INT64_MAX, INT64_MAX, 0}, 18, 10, 0}, 19, 10, YES, YES},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct usage_finding f = usage_believe(&table[i].claim);

        if (f.usage.prompt != table[i].prompt || f.usage.completion != table[i].completion ||
            f.estimated != table[i].estimated || f.suspect != table[i].suspect)
            ck_abort_msg("row %zu: prompt %lld, completion %lld, estimated %d, suspect %d", i, (long long)f.usage.prompt,
                         (long long)f.usage.completion, f.estimated, f.suspect);
    }
}
END_TEST

START_TEST(parts_never_exceed_their_totals)
{
    struct usage_claim c = {YES, YES, {20, 15, 15, 15, 10, 50, 0}, 20, 10, 8000};
    struct usage_finding f = usage_believe(&c);

    ck_assert_int_eq(f.usage.cached, 15);
    ck_assert_int_eq(f.usage.cache_write, 5);
    ck_assert_int_eq(f.usage.cache_write_1h, 0);
    ck_assert_int_eq(f.usage.reasoning, 10);
}
END_TEST

UNIT_MAIN("plausible", what_is_believed_what_is_counted_and_what_is_flagged, parts_never_exceed_their_totals)
