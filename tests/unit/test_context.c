/* test_context.c - which turns still fit a window. */
#include "rules/context.h"

#include "unit.h"

enum { N = 400 };

/* Question, answer, question, answer …, of `each` tokens. */
static void conversation(struct context_turn *t, size_t n, int64_t each)
{
    for (size_t i = 0; i < n; i++)
        t[i] = (struct context_turn){.tokens = each, .question = i % 2 == 0};
}

START_TEST(all_stay_while_they_fit)
{
    struct context_turn t[10];

    conversation(t, 10, 100);
    ck_assert_uint_eq(context_omitted(t, 10, 0, 1000), 0);
    ck_assert_uint_gt(context_omitted(t, 10, 1, 1000), 0);
    ck_assert_uint_eq(context_omitted(t, 0, 5000, 1000), 0);
}
END_TEST

START_TEST(what_is_kept_fits_and_begins_with_a_question)
{
    struct context_turn t[N];

    for (size_t n = 1; n <= N; n++) {
        int64_t kept = 50;
        size_t omitted;

        conversation(t, n, 37);
        omitted = context_omitted(t, n, 50, 4000);
        for (size_t i = omitted; i < n; i++)
            kept += t[i].tokens;
        ck_assert_int_le(kept, 4000);
        ck_assert(omitted == n || t[omitted].question);
        if (omitted > 0)
            ck_assert_int_ge(kept, 4000 - 4000 / 4 - 2 * 37);      /* and no more is left out than a step */
    }
}
END_TEST

START_TEST(the_beginning_stays_the_same_for_a_quarter_of_the_room)
{
    struct context_turn t[N];
    size_t before = 0, moves = 0;

    for (size_t n = 2; n <= N; n += 2) {
        size_t omitted;

        conversation(t, n, 20);
        omitted = context_omitted(t, n, 0, 2000);
        ck_assert_uint_ge(omitted, before);
        moves += omitted != before;
        before = omitted;
    }
    ck_assert_uint_ge(moves, 10);
    ck_assert_uint_le(moves, (N * 20 - 2000) / 500 + 1);
}
END_TEST

START_TEST(one_large_turn_does_not_take_the_rest_with_it)
{
    const struct context_turn t[] = {{300, true}, {100, false}, {700, true}, {100, false}};

    ck_assert_uint_eq(context_omitted(t, 4, 100, 1000), 2);       /* a whole step more would have left nothing */
    ck_assert_uint_eq(context_omitted(t, 4, 900, 1000), 4);       /* nothing of it fits */
}
END_TEST

START_TEST(an_answer_has_its_room)
{
    ck_assert_int_eq(context_room(128000, 16000), 112000);
    ck_assert_int_eq(context_room(4096, 4096), 3072);
}
END_TEST

UNIT_MAIN("context", all_stay_while_they_fit, what_is_kept_fits_and_begins_with_a_question,
          the_beginning_stays_the_same_for_a_quarter_of_the_room, one_large_turn_does_not_take_the_rest_with_it,
          an_answer_has_its_room)
