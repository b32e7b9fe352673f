/* test_tokens.c - what needs no rank files: models, overhead, estimates, bytes of any kind. */
#include "rules/tokens.h"

#include <string.h>

#include "rules/ranks.h"
#include "unit.h"

static int64_t guess(const char *text)
{
    return tokens_guess(text, strlen(text));
}

/* Is `n` within `percent` of `want`? */
static void near(int64_t n, int64_t want, int64_t percent)
{
    ck_assert_msg(n * 100 >= want * (100 - percent) && n * 100 <= want * (100 + percent),
                  "%lld instead of about %lld", (long long)n, (long long)want);
}

START_TEST(an_estimate_comes_near_the_count)
{
    near(guess("The quick brown fox jumps over the lazy dog. It was not amused, and said so at length to everyone who "
               "would listen, which was nobody."), 29, 25);
    near(guess("{\"id\": 12345, \"name\": \"pump\", \"tags\": [\"a\", \"b\"], \"open\": true}"), 27, 25);
    near(guess("\u4eca\u5929\u5929\u6c14\u5f88\u597d\uff0c\u6211\u4eec\u53bb\u516c\u56ed\u6563\u6b65\u5427\u3002"), 14, 35);
    near(guess("7cQf0aZk93mJxW2bT5hN8sVdL1eRyUoP4gKiB6tCnMqXaDzHwSjFvEu0pOlI3rY9kGdQmZ2x"), 50, 20);
}
END_TEST

START_TEST(an_estimate_grows_with_the_text_and_nothing_is_nothing)
{
    ck_assert_int_eq(tokens_guess("", 0), 0);
    ck_assert_int_eq(guess("a"), 1);
    ck_assert_int_gt(guess("a b c d e f g"), guess("a b c"));
    ck_assert_int_gt(guess("\xff\xfe\xff\xfe\xff\xfe"), 0);
}
END_TEST

START_TEST(a_long_piece_is_estimated_in_one_pass)
{
    size_t n = 4 << 20;
    char *text = malloc(n);

    memset(text, 'a', n);
    ck_assert_int_gt(tokens_guess(text, n), 100000);
    memset(text, '7', n);
    ck_assert_int_gt(tokens_guess(text, n), 100000);
    free(text);
}
END_TEST

START_TEST(each_model_has_its_encoding)
{
    static char o200k, cl100k;
    struct tokens_set set = {{[TOKENS_O200K] = (void *)&o200k, [TOKENS_CL100K] = (void *)&cl100k}};
    static const struct {
        const char *model;
        enum tokens_kind kind;
        bool exact;
    } known[] = {
        {"gpt-4o-mini", TOKENS_O200K, true},       {"gpt-4.1", TOKENS_O200K, true},
        {"gpt-4-turbo", TOKENS_CL100K, true},      {"gpt-4-0613", TOKENS_CL100K, true},
        {"gpt-3.5-turbo", TOKENS_CL100K, true},    {"gpt-6-sol", TOKENS_O200K, true},
        {"openai/o3-mini", TOKENS_O200K, true},    {"chatgpt-4o-latest", TOKENS_O200K, true},
        {"openai/gpt-oss-120b", TOKENS_O200K, true}, {"builtin/eliza", TOKENS_O200K, true},
        {"claude-opus-5-5", TOKENS_O200K, false},  {"gemini-2.5-pro", TOKENS_O200K, false},
        {"something-new", TOKENS_O200K, false},    {"", TOKENS_O200K, false},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct tokens_model m = tokens_for(&set, known[i].model);

        ck_assert_msg(m.encoding == set.encoding[known[i].kind], "%s", known[i].model);
        ck_assert_msg(m.exact == known[i].exact, "%s", known[i].model);
        ck_assert_int_ge(m.permille, 1000);
    }
}
END_TEST

START_TEST(without_rank_files_nothing_is_called_exact)
{
    struct tokens_set none = {{NULL, NULL}};
    struct tokens_model m = tokens_for(&none, "gpt-4o");

    ck_assert(!m.exact);
    ck_assert_int_eq(tokens_count_for(&m, "hello world", 11), guess("hello world"));
}
END_TEST

START_TEST(a_factor_is_rounded_up)
{
    struct tokens_model claude = {NULL, 1200, false};

    ck_assert_int_eq(guess("hello"), 1);
    ck_assert_int_eq(tokens_count_for(&claude, "hello", 5), 2);
    ck_assert_int_eq(tokens_count_for(&claude, "", 0), 0);
}
END_TEST

START_TEST(characters_are_code_points)
{
    ck_assert_int_eq(tokens_chars("a\u00e9\u4f60\U0001f600", 10), 4);
}
END_TEST

START_TEST(a_file_that_is_no_rank_file_is_refused)
{
    uint32_t words[64] = {RANKS_MAGIC, RANKS_VERSION, TOKENS_O200K, 2, 4, 3, 0, 1, 3, 0, 0, 0, 0, 0};
    size_t bytes = sizeof(struct ranks_head) + 7 * sizeof(uint32_t) + 3;
    struct tokens_encoding *e;
    struct ranks r;
    char why[TOKENS_WHY];

    ck_assert(ranks_open(words, bytes, TOKENS_O200K, &r));
    ck_assert(!ranks_open(words, bytes, TOKENS_CL100K, &r));
    ck_assert(!ranks_open(words, bytes - 1, TOKENS_O200K, &r));
    words[7] = 4;                                    /* the second token would end before it begins */
    ck_assert(!ranks_open(words, bytes, TOKENS_O200K, &r));
    words[7] = 1, words[4] = 3;                      /* slots must be a power of two */
    ck_assert(!ranks_open(words, bytes, TOKENS_O200K, &r));
    words[4] = 4, words[3] = UINT32_MAX;
    ck_assert(!ranks_open(words, bytes, TOKENS_O200K, &r));
    ck_assert_int_eq(tokens_load("/nonexistent/x.ranks", TOKENS_O200K, &e, why), WEIR_E_UNAVAILABLE);
    ck_assert_ptr_null(e);
    ck_assert_str_eq(why, "/nonexistent/x.ranks: No such file or directory");
    ck_assert_int_eq(tokens_load("/proc/self/exe", TOKENS_O200K, &e, why), WEIR_E_INVALID_FIELD);
}
END_TEST

UNIT_MAIN("tokens", an_estimate_comes_near_the_count, an_estimate_grows_with_the_text_and_nothing_is_nothing,
          a_long_piece_is_estimated_in_one_pass, each_model_has_its_encoding,
          without_rank_files_nothing_is_called_exact, a_factor_is_rounded_up, characters_are_code_points,
          a_file_that_is_no_rank_file_is_refused)
