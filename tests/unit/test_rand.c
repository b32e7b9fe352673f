/* Ids that cannot be guessed and a generator that repeats. */
#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "base/rand.h"

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

START_TEST(ids_carry_their_prefix_and_differ)
{
    enum { N = 2000 };
    static char ids[N][RAND_ID_SIZE];

    for (int i = 0; i < N; i++) {
        rand_id(ids[i], "req");
        ck_assert_int_eq(strncmp(ids[i], "req_", 4), 0);
        ck_assert_uint_eq(strlen(ids[i]), RAND_ID_LEN);
        ck_assert_uint_eq(strspn(ids[i] + 4, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), 22);
    }
    qsort(ids, N, RAND_ID_SIZE, compare_ids);
    for (int i = 1; i < N; i++)
        ck_assert_str_ne(ids[i - 1], ids[i]);
}
END_TEST

START_TEST(an_id_begins_with_its_time)
{
    char before[RAND_ID_SIZE], after[RAND_ID_SIZE];
    int64_t from_ms = clock_utc_ms();

    rand_id(before, "req");
    while (clock_utc_ms() <= from_ms + 1)
        ;
    rand_id(after, "req");
    ck_assert_int_lt(strncmp(before, after, 4 + 8), 0);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_numbers_within_bounds)
{
    struct rng a = rng_make(42), b = rng_make(42);

    for (int i = 0; i < 10000; i++) {
        int64_t n = rng_below(&a, 7);

        ck_assert_int_eq(n, rng_below(&b, 7));
        ck_assert(n >= 0 && n < 7);
    }
    ck_assert_int_eq(rng_below(&a, 1), 0);
    ck_assert_int_eq(rng_below(&a, 0), 0);
}
END_TEST

UNIT_MAIN("rand", ids_carry_their_prefix_and_differ, an_id_begins_with_its_time, the_same_seed_gives_the_same_numbers_within_bounds)
