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

START_TEST(an_id_is_taken_apart_and_put_together)
{
    char id[RAND_ID_SIZE], again[RAND_ID_SIZE];

    rand_id_at(id, "req", INT64_C(1795670000123));
    ck_assert_int_eq(rand_id_ms(id, "req"), INT64_C(1795670000123));
    rand_id_join(again, "req", INT64_C(1795670000123), id + RAND_ID_LEN - RAND_ID_RANDOM);
    ck_assert_str_eq(again, id);
    ck_assert_int_eq(rand_id_ms(id, "msg"), -1);
    id[5] = '-';
    ck_assert_int_eq(rand_id_ms(id, "req"), -1);
    ck_assert_int_eq(rand_id_ms("req_", "req"), -1);
    ck_assert_int_eq(rand_id_ms("req_0000000000000000000000", "req"), 0);
    ck_assert_int_eq(rand_id_ms("req_00000000000000000000000", "req"), -1);
    ck_assert_int_eq(rand_id_ms("", "req"), -1);
}
END_TEST

START_TEST(ids_of_one_hash_are_counted_and_sorted)
{
    static const int64_t n[] = {0, 1, 61, 62, 238327, RAND_ID_NTH_MAX};
    unsigned char hash[RAND_ID_HASH];
    char id[RAND_ID_SIZE], before[RAND_ID_SIZE] = "";

    for (size_t i = 0; i < sizeof hash; i++)
        hash[i] = (unsigned char)(255 - i);
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
        rand_id_nth(id, "ses", hash, n[i]);
        ck_assert_int_ge(rand_id_ms(id, "ses"), 0);                     /* of the form of all ids */
        ck_assert_int_eq(rand_id_which(id), n[i]);
        ck_assert_int_lt(strcmp(before, id), 0);
        ck_assert(!*before || strncmp(before, id, 4 + RAND_ID_HASH) == 0);
        memcpy(before, id, sizeof before);
    }
    ck_assert_str_eq(id + 4 + RAND_ID_HASH, "zzzzzz");
}
END_TEST

START_TEST(a_short_id_is_a_number)
{
    char id[RAND_ID_SIZE], other[RAND_ID_SIZE];

    rand_short_id(id, "msg");
    rand_short_id(other, "msg");
    ck_assert_str_ne(id, other);
    ck_assert_uint_eq(strlen(id), 4 + 11);
    ck_assert_int_ge(rand_short_id_number(id, "msg"), 0);
    ck_assert_int_eq(rand_short_id_number("msg_0000000001A", "msg"), 62 + 10);
    ck_assert_int_eq(rand_short_id_number("msg_AzL8n0Y58m7", "msg"), INT64_MAX);
    ck_assert_int_eq(rand_short_id_number("msg_AzL8n0Y58m8", "msg"), -1);
    ck_assert_int_eq(rand_short_id_number("msg_zzzzzzzzzzz", "msg"), -1);
    ck_assert_int_eq(rand_short_id_number("msg_1", "msg"), -1);
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

UNIT_MAIN("rand", ids_carry_their_prefix_and_differ, an_id_begins_with_its_time, an_id_is_taken_apart_and_put_together,
          ids_of_one_hash_are_counted_and_sorted, a_short_id_is_a_number, the_same_seed_gives_the_same_numbers_within_bounds)
