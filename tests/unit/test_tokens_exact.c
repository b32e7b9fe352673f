/* test_tokens_exact.c - counts against published token ids, and the fast merge
 * against the definition. Needs the packed rank files in $WEIR_RANKS or ./share/ranks;
 * without them it is skipped, saying so. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "rules/bpe.h"
#include "rules/tokens.h"
#include "rules/tokens_encoding.h"
#include "unit.h"

static struct tokens_set set;

static int64_t count(enum tokens_kind kind, const char *text)
{
    return tokens_count(set.encoding[kind], text, strlen(text));
}

START_TEST(published_texts_have_their_published_lengths)
{
    static const struct {
        const char *text;
        int o200k, cl100k;
    } known[] = {
        {"", 0, 0},
        {"hello world", 2, 2},
        {"You are a helpful assistant.", 6, 6},
        {"don't DON'T", 2, 4},
        {"1234567890", 4, 4},
        {"    if (x) {\n        return 0;\n    }\n", 13, 13},
        {"\u4f60\u597d\uff0c\u4e16\u754c", 3, 6},
        {"\u3053\u3093\u306b\u3061\u306f\u4e16\u754c", 2, 4},
        {"\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440", 4, 6},
        {"a\r\n\r\nb", 3, 3},
        {"  \n  \n", 1, 1},
        {"e\u0301", 2, 2},
        {"\u00a0x", 2, 2},
        {"antidisestablishmentarianism", 6, 6},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        ck_assert_msg(count(TOKENS_O200K, known[i].text) == known[i].o200k, "o200k: %s", known[i].text);
        ck_assert_msg(count(TOKENS_CL100K, known[i].text) == known[i].cl100k, "cl100k: %s", known[i].text);
    }
}
END_TEST

START_TEST(the_documented_chat_has_nineteen_prompt_tokens)
{
    struct tokens_model m = tokens_for(&set, "gpt-4o");
    struct tokens_message chat[] = {{"developer", "You are a helpful assistant.", 28, NULL}, {"user", "Hello!", 6, NULL}};

    ck_assert_int_eq(tokens_count_chat(&m, chat, 2), 19);
    chat[1].name = "bob";
    ck_assert_int_eq(tokens_count_chat(&m, chat, 2), 19 + 1 + count(TOKENS_O200K, "bob"));
    chat[1].content = NULL;
    ck_assert_int_eq(tokens_count_chat(&m, chat, 0), 3);
}
END_TEST

START_TEST(names_of_special_tokens_are_ordinary_text)
{
    ck_assert_int_gt(count(TOKENS_O200K, "<|endoftext|>"), 1);
}
END_TEST

START_TEST(bytes_that_are_no_text_count_as_replacement_characters)
{
    ck_assert_int_eq(tokens_count(set.encoding[TOKENS_O200K], "a\xff\xe4\xbd z", 6), count(TOKENS_O200K, "a\ufffd\ufffd z"));
    ck_assert_int_eq(tokens_count(set.encoding[TOKENS_O200K], "a\0b", 3), 3);
}
END_TEST

/* The definition, as slowly as it reads: merge the leftmost pair of lowest rank until none is left. */
static int64_t slow_count(const struct ranks *r, const unsigned char *s, size_t n)
{
    size_t cut[512], parts = n;

    for (size_t i = 0; i <= n; i++)
        cut[i] = i;
    if (ranks_find(r, s, n) != RANKS_NONE)
        return 1;
    for (;;) {
        uint32_t best = RANKS_NONE;
        size_t at = 0;

        for (size_t i = 0; i + 1 < parts; i++) {
            uint32_t rank = ranks_find(r, s + cut[i], cut[i + 2] - cut[i]);

            if (rank < best)
                best = rank, at = i;
        }
        if (best == RANKS_NONE)
            return (int64_t)parts;
        memmove(&cut[at + 1], &cut[at + 2], (parts - at - 1) * sizeof *cut);
        parts--;
    }
}

START_TEST(short_and_long_pieces_merge_as_the_definition_says)
{
    static const char *const alphabets[] = {"ab", "etaoinshrdlu", "=-", " ", "aAbB019_/", "\xe4\xbd\xa0\xe5\xa5"};
    struct rng rng = rng_make(7);

    for (int round = 0; round < 1500; round++) {
        const struct ranks *r = &set.encoding[round % TOKENS_KINDS]->ranks;
        const char *alphabet = alphabets[round % 6];
        unsigned char piece[400];
        size_t n = 1 + (size_t)rng_below(&rng, round % 3 ? 130 : 400);

        for (size_t i = 0; i < n; i++)
            piece[i] = (unsigned char)alphabet[rng_below(&rng, (int64_t)strlen(alphabet))];
        ck_assert_int_eq(bpe_count(r, piece, n), slow_count(r, piece, n));
    }
}
END_TEST

/* The same for pieces too long for that: each pair's rank is looked up once. */
static int64_t plain_count(const struct ranks *r, const unsigned char *s, size_t n)
{
    size_t *cut = calloc(n + 1, sizeof *cut), parts = n;
    uint32_t *pair = calloc(n + 1, sizeof *pair);

    for (size_t i = 0; i <= n; i++)
        cut[i] = i;
    for (size_t i = 0; i < n; i++)
        pair[i] = i + 1 < n ? ranks_find(r, s + i, 2) : RANKS_NONE;
    for (;;) {
        size_t at = 0;

        for (size_t i = 1; i + 1 < parts; i++)
            at = pair[i] < pair[at] ? i : at;
        if (pair[at] == RANKS_NONE)
            break;
        memmove(&cut[at + 1], &cut[at + 2], (parts - at - 1) * sizeof *cut);
        memmove(&pair[at + 1], &pair[at + 2], (parts - at - 1) * sizeof *pair);
        parts--;
        pair[at] = at + 1 < parts ? ranks_find(r, s + cut[at], cut[at + 2] - cut[at]) : RANKS_NONE;
        if (at)
            pair[at - 1] = ranks_find(r, s + cut[at - 1], cut[at + 1] - cut[at - 1]);
    }
    free(cut);
    free(pair);
    return (int64_t)parts;
}

/* Where a piece is merged in several windows, none is one token more or less than in one. */
START_TEST(pieces_of_many_windows_merge_as_the_definition_says)
{
    static const char *const alphabets[] = {
        "a", "ab", "aab", "etaoinshrdlu", "=-", "=", " ", " \t", "\n", "aAbB019_/", "\xe4\xbd\xa0\xe5\xa5", "/*", "thein ",
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/",
    };
    enum { ALPHABETS = sizeof alphabets / sizeof *alphabets };
    static unsigned char piece[12000];
    struct rng rng = rng_make(11);

    for (int round = 0; round < 8 * ALPHABETS; round++) {
        const struct ranks *r = &set.encoding[round % TOKENS_KINDS]->ranks;
        const char *alphabet = alphabets[round / TOKENS_KINDS % ALPHABETS];
        size_t n = 1000 + (size_t)rng_below(&rng, round % 7 ? 4000 : sizeof piece - 1000);
        size_t period = round % 3 ? n : 1 + (size_t)rng_below(&rng, 300);

        for (size_t i = 0; i < n; i++)
            piece[i] = i < period ? (unsigned char)alphabet[rng_below(&rng, (int64_t)strlen(alphabet))] : piece[i - period];
        ck_assert_msg(bpe_count(r, piece, n) == plain_count(r, piece, n), "%zu bytes of '%s', round %d", n, alphabet, round);
    }
}
END_TEST

/* A text where the cut of a window spoils more than its last bytes: one that is met once in thousands. */
START_TEST(a_window_that_ends_badly_is_merged_again)
{
    unsigned char piece[3000];
    struct rng rng = rng_make(2003);

    for (size_t i = 0; i < sizeof piece; i++)
        piece[i] = (unsigned char)"ab"[rng_below(&rng, 2)];
    for (int kind = 0; kind < TOKENS_KINDS; kind++)
        ck_assert_int_eq(bpe_count(&set.encoding[kind]->ranks, piece, sizeof piece),
                         plain_count(&set.encoding[kind]->ranks, piece, sizeof piece));
}
END_TEST

START_TEST(a_megabyte_without_a_break_is_counted)
{
    static const struct {
        const char *unit;
        int64_t tokens;      /* of 2^20 units */
    } known[] = {{"a", (1 << 20) / 8}, {"=", (1 << 20) / 64}, {" ", 1 << 20 >> 7}, {"\u4f60", 1 << 20}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t unit = strlen(known[i].unit), n = unit << 20;
        char *text = malloc(n);

        for (size_t k = 0; k < n; k += unit)
            memcpy(text + k, known[i].unit, unit);
        ck_assert_int_le(tokens_count(set.encoding[TOKENS_O200K], text, n), known[i].tokens + 8);
        ck_assert_int_gt(tokens_count(set.encoding[TOKENS_O200K], text, n), (1 << 20) / 130);
        free(text);
    }
}
END_TEST

static void *count_often(void *arg)
{
    for (int i = 0; i < 300; i++)
        if (count(TOKENS_O200K, "You are a helpful assistant.") != 6 || count(TOKENS_CL100K, "don't DON'T") != 4)
            return arg;
    return NULL;
}

START_TEST(eight_threads_count_at_once)
{
    pthread_t thread[8];

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, count_often, &set), 0);
    for (int i = 0; i < 8; i++) {
        void *failed;

        ck_assert_int_eq(pthread_join(thread[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        published_texts_have_their_published_lengths, the_documented_chat_has_nineteen_prompt_tokens,
        names_of_special_tokens_are_ordinary_text, bytes_that_are_no_text_count_as_replacement_characters,
        short_and_long_pieces_merge_as_the_definition_says, pieces_of_many_windows_merge_as_the_definition_says,
        a_window_that_ends_badly_is_merged_again, a_megabyte_without_a_break_is_counted,
        eight_threads_count_at_once,
    };
    const char *dir = getenv("WEIR_RANKS");
    int rc;

    tokens_set_load(&set, dir ? dir : "share/ranks");
    if (!set.encoding[TOKENS_O200K] || !set.encoding[TOKENS_CL100K]) {
        printf("skipped: no packed rank files (npm ci, then make; or set WEIR_RANKS)\n");
        tokens_set_done(&set);
        return 77;
    }
    rc = unit_run("tokens_exact", tests, sizeof tests / sizeof *tests);
    tokens_set_done(&set);
    return rc;
}
