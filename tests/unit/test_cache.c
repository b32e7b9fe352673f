/* test_cache.c - answers by what was asked: found, expired, thrown out in the order of last use. */
#include "flow/cache.h"

#include <string.h>

#include "unit.h"

enum { HOUR = 3600 };

static const unsigned char *key(unsigned n)
{
    static unsigned char k[CACHE_KEY_BYTES];

    memset(k, 0, sizeof k);
    memcpy(k, &n, sizeof n);
    return k;
}

static struct job *somebody(void)
{
    static int any;

    return (struct job *)(void *)&any;
}

static void add(struct cache *c, unsigned n, int64_t now, size_t max)
{
    struct cache_entry *e = cache_begin(c, key(n), somebody());

    ck_assert_ptr_nonnull(e);
    e->text = sb_make(1000);
    for (int i = 0; i < 50; i++)
        sb_putf(&e->text, "%06u ", n);
    cache_fill(c, e, now + HOUR, max);
}

START_TEST(an_entry_is_found_until_it_expires)
{
    struct cache c = {0};
    struct cache_entry *e;

    ck_assert_ptr_null(cache_find(&c, key(1), 0));
    e = cache_begin(&c, key(1), somebody());
    ck_assert_ptr_eq(cache_find(&c, key(1), 0), e);
    ck_assert_ptr_null(cache_begin(&c, key(1), somebody()));
    e->text = sb_make(10);
    cache_fill(&c, e, HOUR, 1 << 20);
    ck_assert_ptr_eq(cache_find(&c, key(1), HOUR - 1), e);
    ck_assert_ptr_null(cache_find(&c, key(1), HOUR));
    ck_assert_uint_eq(c.n, 0);
    ck_assert_uint_eq(c.bytes, 0);
    cache_done(&c);
}
END_TEST

START_TEST(another_key_with_the_same_beginning_is_not_it)
{
    unsigned char other[CACHE_KEY_BYTES];
    struct cache c = {0};

    add(&c, 7, 0, 1 << 20);
    memcpy(other, key(7), sizeof other);
    other[CACHE_KEY_BYTES - 1] = 1;
    ck_assert_ptr_null(cache_find(&c, other, 0));
    ck_assert_ptr_null(cache_begin(&c, other, somebody()));
    ck_assert_ptr_nonnull(cache_find(&c, key(7), 0));
    cache_done(&c);
}
END_TEST

START_TEST(what_was_used_longest_ago_goes_first)
{
    struct cache c = {0};
    size_t one;

    add(&c, 1, 0, 1 << 20);
    one = c.bytes;
    for (unsigned n = 2; n <= 10; n++)
        add(&c, n, 0, one * 10);
    ck_assert_uint_eq(c.n, 10);
    ck_assert_ptr_nonnull(cache_find(&c, key(1), 0));
    add(&c, 11, 0, one * 10);
    ck_assert_uint_eq(c.n, 10);
    ck_assert_ptr_nonnull(cache_find(&c, key(1), 0));
    ck_assert_ptr_null(cache_find(&c, key(2), 0));
    for (unsigned n = 12; n < 500; n++) {
        add(&c, n, 0, one * 10);
        ck_assert_uint_le(c.bytes, one * 10);
        ck_assert_ptr_nonnull(cache_find(&c, key(n), 0));
    }
    add(&c, 500, 0, 1);              /* too large for it */
    ck_assert_uint_eq(c.n, 0);
    cache_done(&c);
}
END_TEST

START_TEST(an_entry_that_is_being_filled_is_not_thrown_out)
{
    struct cache c = {0};
    struct cache_entry *e = cache_begin(&c, key(1), somebody());

    for (unsigned n = 2; n < 100; n++)
        add(&c, n, 0, 2000);
    ck_assert_ptr_eq(cache_find(&c, key(1), 0), e);
    cache_drop(&c, e);
    ck_assert_ptr_null(cache_find(&c, key(1), 0));
    cache_done(&c);
}
END_TEST

UNIT_MAIN("cache", an_entry_is_found_until_it_expires, another_key_with_the_same_beginning_is_not_it,
          what_was_used_longest_ago_goes_first, an_entry_that_is_being_filled_is_not_thrown_out)
