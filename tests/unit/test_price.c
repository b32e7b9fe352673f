/* test_price.c - names to prices, and prices to picodollars, checked by hand. */
#include "rules/price.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static const char base[] =
    "{\"as_of\": \"2026-11-10\", \"models\": ["
    " {\"provider\": \"openai\", \"id\": \"gpt-4o\", \"in\": 2500000, \"out\": 10000000, \"cache_read\": 1250000,"
    "  \"ctx\": 128000, \"max_out\": 16384, \"vision\": true},"
    " {\"provider\": \"openai\", \"id\": \"gpt-4o-mini\", \"aliases\": [\"gpt-mini\"], \"in\": 150000, \"out\": 600000,"
    "  \"cache_read\": 75000, \"services\": {\"batch\": 500, \"flex\": 500, \"priority\": 2000}},"
    " {\"provider\": \"openai\", \"id\": \"gpt-6-sol\", \"in\": 2000000, \"out\": 10000000, \"cache_read\": 200000,"
    "  \"cache_write\": 2500000, \"tiers\": [{\"above\": 272000, \"in\": 4000000, \"out\": 15000000,"
    "  \"cache_read\": 400000, \"cache_write\": 5000000}]},"
    " {\"provider\": \"anthropic\", \"id\": \"claude-opus-5-5\", \"in\": 4000000, \"out\": 20000000,"
    "  \"cache_read\": 200000, \"cache_write\": 5000000, \"cache_write_1h\": 8000000, \"no_temperature\": true},"
    " {\"provider\": \"together\", \"id\": \"openai/gpt-oss\", \"in\": 3, \"out\": 5},"
    " {\"provider\": \"builtin\", \"id\": \"eliza\", \"in\": 0, \"out\": 0}]}";

static struct price_table *load(const char *own)
{
    struct price_table *t;
    char why[PRICE_WHY] = "";

    ck_assert_msg(!price_table_load(base, sizeof base - 1, own, own ? strlen(own) : 0, &t, why), "%s", why);
    return t;
}

static void expect(const struct price_table *t, const char *provider, const char *model, const char *id,
                   enum price_match want)
{
    enum price_match match;
    const struct price *p = price_find(t, provider, model, &match);

    ck_assert_msg(match == want, "%s: %s, not %s", model, price_match_name(match), price_match_name(want));
    ck_assert_str_eq(p ? p->id : "(none)", id);
}

START_TEST(a_name_is_resolved_in_the_documented_order)
{
    struct price_table *t = load(NULL);

    expect(t, "openai", "gpt-4o", "gpt-4o", PRICE_EXACT);
    expect(t, "openai", "gpt-4o-2024-11-20", "gpt-4o", PRICE_DATED);
    expect(t, "openai", "gpt-4o-mini-20240718", "gpt-4o-mini", PRICE_DATED);
    expect(t, "anthropic", "claude-opus-5-5@20261001", "claude-opus-5-5", PRICE_DATED);
    expect(t, "openai", "gpt-mini", "gpt-4o-mini", PRICE_ALIAS);
    expect(t, "openai", "gpt-mini-2024-07-18", "gpt-4o-mini", PRICE_ALIAS);
    expect(t, "openai", "gpt-4o-mini-tuned:acme", "gpt-4o-mini", PRICE_PREFIX);
    expect(t, "openai", "gpt-4o.next", "gpt-4o", PRICE_PREFIX);
    expect(t, "openai", "gpt-4omega", "(none)", PRICE_NONE);
    expect(t, "openai", "claude-opus-5-5", "(none)", PRICE_NONE);
    expect(t, "openai", "", "(none)", PRICE_NONE);
    price_table_free(t);
}
END_TEST

START_TEST(a_provider_in_the_name_is_understood)
{
    struct price_table *t = load(NULL);

    expect(t, "openai", "openai/gpt-4o", "gpt-4o", PRICE_EXACT);
    expect(t, NULL, "openai/gpt-4o", "gpt-4o", PRICE_EXACT);
    expect(t, NULL, "gpt-4o", "(none)", PRICE_NONE);
    expect(t, "together", "openai/gpt-oss", "openai/gpt-oss", PRICE_EXACT);
    expect(t, "together", "openai/gpt-4o", "(none)", PRICE_NONE);
    expect(t, "builtin", "builtin/eliza", "eliza", PRICE_EXACT);
    price_table_free(t);
}
END_TEST

START_TEST(an_upstream_has_the_prices_of_its_host_or_its_name)
{
    struct price_table *t = load(NULL);

    ck_assert_str_eq(price_provider(t, "work", "https://api.openai.com/v1"), "openai");
    ck_assert_str_eq(price_provider(t, "openai", "https://API.anthropic.com"), "anthropic");
    ck_assert_str_eq(price_provider(t, "openai", "http://127.0.0.1:9000/v1"), "openai");
    ck_assert_str_eq(price_provider(t, "builtin", NULL), "builtin");
    ck_assert_ptr_null(price_provider(t, "ollama", "http://127.0.0.1:11434/v1"));
    ck_assert_ptr_null(price_provider(t, "work", "https://api.openai.com.example/v1"));
    ck_assert_ptr_null(price_provider(t, "open", NULL));
    ck_assert_ptr_null(price_provider(t, NULL, NULL));
    price_table_free(t);
}
END_TEST

/* The cost of `u` for one model, with what always holds. */
static struct cost cost(const struct price_table *t, const char *model, struct usage_tokens u, enum price_service s)
{
    enum price_match match;
    const struct price *p = price_find(t, NULL, model, &match);
    struct cost c;

    ck_assert_ptr_nonnull(p);
    p = price_for(p, s);
    ck_assert(price_cost(p, &u, &c));
    ck_assert_int_eq(c.fresh + c.cached + c.cache_write, c.input);
    ck_assert_int_eq(c.visible + c.reasoning, c.output);
    ck_assert_int_eq(c.input + c.output, c.total);
    ck_assert_int_le(c.total, price_worst_case(p, u.prompt, u.completion));
    return c;
}

START_TEST(cached_input_is_counted_once_at_its_own_rate)
{
    struct price_table *t = load(NULL);
    struct cost c = cost(t, "openai/gpt-4o", (struct usage_tokens){.prompt = 1000, .cached = 600, .completion = 50},
                         PRICE_STANDARD);

    ck_assert_int_eq(c.fresh, 400LL * 2500000);
    ck_assert_int_eq(c.cached, 600LL * 1250000);
    ck_assert_int_eq(c.visible, 50LL * 10000000);
    ck_assert_int_eq(c.total, 2250000000);          /* $0.00225 */
    ck_assert_int_eq(c.saved, 600LL * 1250000);
    ck_assert_int_eq(c.rate_in, 2500000);
    price_table_free(t);
}
END_TEST

START_TEST(cache_writes_of_both_durations_have_their_rates)
{
    struct price_table *t = load(NULL);
    struct usage_tokens u = {.prompt = 1000, .cached = 100, .cache_write = 200, .cache_write_1h = 300, .completion = 10};
    struct cost c = cost(t, "anthropic/claude-opus-5-5", u, PRICE_STANDARD);

    ck_assert_int_eq(c.fresh, 400LL * 4000000);
    ck_assert_int_eq(c.cached, 100LL * 200000);
    ck_assert_int_eq(c.cache_write, 200LL * 5000000 + 300LL * 8000000);
    ck_assert_int_eq(c.total, 1600000000LL + 20000000 + 3400000000 + 200000000);
    u = (struct usage_tokens){.prompt = 10, .cache_write = 10};
    ck_assert_int_eq(cost(t, "openai/gpt-4o", u, PRICE_STANDARD).total, 10LL * 2500000);   /* no rate of its own */
    u = (struct usage_tokens){.prompt = 10, .cache_write_1h = 10};
    ck_assert_int_eq(cost(t, "openai/gpt-6-sol", u, PRICE_STANDARD).total, 10LL * 4000000);
    price_table_free(t);
}
END_TEST

START_TEST(reasoning_is_part_of_the_output)
{
    struct price_table *t = load(NULL);
    struct usage_tokens u = {.prompt = 5, .completion = 100, .reasoning = 70};
    struct cost c = cost(t, "openai/gpt-4o", u, PRICE_STANDARD);

    ck_assert_int_eq(c.reasoning, 700000000);
    ck_assert_int_eq(c.visible, 300000000);
    u.reasoning = 500;                               /* more than there was: all of it */
    c = cost(t, "openai/gpt-4o", u, PRICE_STANDARD);
    ck_assert_int_eq(c.visible, 0);
    ck_assert_int_eq(c.output, 1000000000);
    price_table_free(t);
}
END_TEST

START_TEST(past_a_tier_all_rates_change_and_not_one_token_earlier)
{
    struct price_table *t = load(NULL);
    struct usage_tokens u = {.prompt = 272000, .cached = 1000, .completion = 10};

    ck_assert_int_eq(cost(t, "openai/gpt-6-sol", u, PRICE_STANDARD).total,
                     271000LL * 2000000 + 1000LL * 200000 + 10LL * 10000000);
    u.prompt++;
    ck_assert_int_eq(cost(t, "openai/gpt-6-sol", u, PRICE_STANDARD).total,
                     271001LL * 4000000 + 1000LL * 400000 + 10LL * 15000000);
    ck_assert_int_eq(cost(t, "openai/gpt-6-sol", u, PRICE_STANDARD).rate_out, 15000000);
    price_table_free(t);
}
END_TEST

START_TEST(a_service_has_rates_of_its_own_where_the_table_has_them)
{
    struct price_table *t = load("{\"models\": [{\"provider\": \"a\", \"id\": \"odd\", \"in\": 3, \"out\": 5, \"cache_write\": 7, \"services\": {\"flex\": 500},"
                                 " \"tiers\": [{\"above\": 10, \"in\": 30, \"out\": 50}]}]}");
    struct usage_tokens u = {.prompt = 10, .cached = 4, .completion = 2};
    enum price_match match;
    const struct price *p = price_find(t, "openai", "gpt-4o-mini", &match);
    struct cost c = cost(t, "openai/gpt-4o-mini", u, PRICE_PRIORITY);

    ck_assert_int_eq(c.fresh, 6 * 300000);
    ck_assert_int_eq(c.cached, 4 * 150000);
    ck_assert_int_eq(c.output, 2 * 1200000);
    ck_assert_int_eq(c.rate_in, 300000);
    ck_assert_int_eq(cost(t, "openai/gpt-4o-mini", u, PRICE_BATCH).total * 4, c.total);
    ck_assert_int_eq(cost(t, "openai/gpt-4o-mini", u, PRICE_FLEX).total * 4, c.total);
    /* from any service to any other, and back */
    ck_assert_ptr_eq(price_for(price_for(p, PRICE_PRIORITY), PRICE_STANDARD), p);
    ck_assert_ptr_eq(price_for(price_for(p, PRICE_PRIORITY), PRICE_FLEX), price_for(p, PRICE_FLEX));
    ck_assert_ptr_null(price_for(NULL, PRICE_FLEX));
    /* halves are rounded up; a price that is not there stays so; each tier has its own */
    c = cost(t, "a/odd", (struct usage_tokens){.prompt = 1, .completion = 1}, PRICE_FLEX);
    ck_assert_int_eq(c.total, 2 + 3);
    ck_assert_int_eq(cost(t, "a/odd", (struct usage_tokens){.prompt = 1, .cache_write = 1}, PRICE_FLEX).total, 4);
    ck_assert_int_eq(cost(t, "a/odd", (struct usage_tokens){.prompt = 11, .completion = 1}, PRICE_FLEX).total, 11 * 15 + 25);
    /* nothing is guessed to be cheaper, or dearer, than the table knows */
    ck_assert_int_eq(cost(t, "openai/gpt-4o", u, PRICE_FLEX).total, cost(t, "openai/gpt-4o", u, PRICE_STANDARD).total);
    ck_assert_int_eq(price_service_of("priority", 8), PRICE_PRIORITY);
    ck_assert_int_eq(price_service_of("fast", 4), PRICE_PRIORITY);
    ck_assert_int_eq(price_service_of("flexible", 8), PRICE_STANDARD);
    ck_assert_int_eq(price_service_of("default", 7), PRICE_STANDARD);
    price_table_free(t);
}
END_TEST

/* What Anthropic says, and what it comes to: `input_tokens` excludes the cache, message_delta's figures replace message_start's. */
START_TEST(anthropics_usage_comes_to_its_price_in_parts_that_sum)
{
    static const struct {
        int64_t input, creation, w5, w1, read, output, thinking;
        const char *tier;
        int64_t cost;                    /* at 4 in, 20 out, 0.2 read, 5 and 8 written, dollars a million */
    } said[] = {
        {12, 0, 0, 0, 0, 6, 0, "standard", 12LL * 4000000 + 6LL * 20000000},
        {12, 0, 0, 0, 2048, 503, 400, "standard", 12LL * 4000000 + 2048LL * 200000 + 503LL * 20000000},
        {3, 1500, 1000, 500, 200, 7, 0, "priority", 3LL * 4000000 + 1000LL * 5000000 + 500LL * 8000000 + 200LL * 200000 + 7LL * 20000000},
        {3, 1500, 1500, 0, 0, 7, 7, "batch", (3LL * 4000000 + 1500LL * 5000000 + 7LL * 20000000) / 2},
    };
    struct price_table *t = load("{\"models\": [{\"provider\": \"anthropic\", \"id\": \"claude-opus-5-5\", \"in\": 4000000, \"out\": 20000000, \"cache_read\": 200000,"
                                 " \"cache_write\": 5000000, \"cache_write_1h\": 8000000, \"services\": {\"batch\": 500}}]}");

    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct usage_tokens u = {.prompt = said[i].input + said[i].creation + said[i].read, .cached = said[i].read, .cache_write = said[i].w5,
                                 .cache_write_1h = said[i].w1, .completion = said[i].output, .reasoning = said[i].thinking};
        struct cost c = cost(t, "anthropic/claude-opus-5-5-20260901", u, price_service_of(said[i].tier, strlen(said[i].tier)));

        ck_assert_int_eq(said[i].creation, u.cache_write + u.cache_write_1h);
        ck_assert_msg(c.total == said[i].cost, "%zu: %lld, not %lld", i, (long long)c.total, (long long)said[i].cost);
    }
    price_table_free(t);
}
END_TEST

START_TEST(more_cached_than_there_was_never_makes_input_negative)
{
    struct price_table *t = load(NULL);
    struct usage_tokens u = {.prompt = 100, .cached = 150};
    enum price_match match;
    struct cost c;

    ck_assert(price_cost(price_find(t, "openai", "gpt-4o", &match), &u, &c));
    ck_assert_int_eq(c.fresh, 0);
    ck_assert_int_eq(c.total, 150LL * 1250000);
    price_table_free(t);
}
END_TEST

START_TEST(a_thousand_million_tokens_fit_and_what_does_not_is_refused)
{
    struct price_table *t = load("{\"models\": [{\"provider\": \"openai\", \"id\": \"dear\", \"in\": 600000000, \"out\": 600000000}]}");
    enum price_match match;
    const struct price *p = price_find(t, "openai", "dear", &match);
    struct usage_tokens u = {.prompt = 1000000000, .completion = 1000000000};
    struct cost c;

    ck_assert_int_eq(cost(t, "openai/dear", u, PRICE_STANDARD).total, 1200000000000000000);
    u.prompt = INT64_MAX;
    ck_assert(!price_cost(p, &u, &c));
    ck_assert_int_eq(c.total, 0);
    ck_assert_int_eq(price_worst_case(p, INT64_MAX, 1), INT64_MAX);
    u = (struct usage_tokens){.prompt = 1, .cached = -1};
    ck_assert(!price_cost(p, &u, &c));
    u = (struct usage_tokens){.cached = INT64_MAX, .cache_write = INT64_MAX};
    ck_assert(!price_cost(p, &u, &c));
    u = (struct usage_tokens){.completion = INT64_MAX / 600000000, .prompt = INT64_MAX / 600000000};
    ck_assert(!price_cost(p, &u, &c));
    price_table_free(t);
}
END_TEST

START_TEST(own_prices_replace_prices_and_keep_the_rest)
{
    struct price_table *t = load("{\"models\": ["
                                 "{\"provider\": \"openai\", \"id\": \"gpt-6-sol\", \"in\": 1, \"out\": 2},"
                                 "{\"provider\": \"openai\", \"id\": \"gpt-4o\", \"ctx\": 64000},"
                                 "{\"provider\": \"house\", \"id\": \"llama\", \"in\": 7, \"out\": 8}]}");
    enum price_match match;
    const struct price *p = price_find(t, "openai", "gpt-6-sol", &match);

    ck_assert_int_eq(p->tiers, 1);                   /* the old tiers and cache rates are gone with the old prices */
    ck_assert_int_eq(p->tier[0].cache_read, -1);
    p = price_find(t, "openai", "gpt-4o", &match);
    ck_assert_int_eq(p->tier[0].in, 2500000);
    ck_assert_int_eq(p->context, 64000);
    ck_assert_int_eq(p->max_out, 16384);
    ck_assert(p->vision);
    expect(t, "house", "llama", "llama", PRICE_EXACT);
    ck_assert_uint_eq(price_table_count(t), 7);
    ck_assert_uint_eq(strlen(price_table_version(t)), 19);
    ck_assert_mem_eq(price_table_version(t), "2026-11-10+", 11);
    price_table_free(t);
}
END_TEST

START_TEST(free_is_known_and_unpriced_is_not_free)
{
    struct price_table *t = load(NULL);
    enum price_match match;

    ck_assert(price_is_free(price_find(t, "builtin", "eliza", &match)));
    ck_assert(!price_is_free(price_find(t, "openai", "gpt-4o", &match)));
    ck_assert_ptr_null(price_find(t, "builtin", "other", &match));
    price_table_free(t);
}
END_TEST

START_TEST(a_wrong_table_is_refused_with_the_model_and_the_member)
{
    static const struct {
        const char *own, *why;
    } wrong[] = {
        {"{}", "prices: table: there is no list \"models\""},
        {"{\"currency\": \"EUR\", \"models\": []}", "prices: table: prices are in USD"},
        {"{\"models\": [{\"id\": \"x\"}]}", "prices: table: each model has a provider and an id of at most 200 characters"},
        {"{\"models\": [{\"provider\": \"a\", \"id\": \"b\", \"input\": 1}]}", "prices: a/b: has no member \"input\""},
        {"{\"models\": [{\"provider\": \"a\", \"id\": \"b\", \"in\": 1}]}",
         "prices: a/b: \"in\" and \"out\" (picodollars per token) are needed"},
        {"{\"models\": [{\"provider\": \"a\", \"id\": \"b\", \"in\": 0.15, \"out\": 1}]}",
         "prices: a/b: in must be a whole number from 0 to 1000000000"},
        {"{\"models\": [{\"provider\": \"a\", \"id\": \"b\", \"in\": 1, \"out\": -1}]}",
         "prices: a/b: out must be a whole number from 0 to 1000000000"},
        {"{\"models\": [{\"provider\": \"a\", \"id\": \"b\", \"in\": 1, \"out\": 1, \"tiers\": [{\"above\": 0, \"in\": 1, \"out\": 1}]}]}",
         "prices: a/b: each tier begins \"above\" the one before"},
        {"{\"models\": [{\"provider\": \"a\", \"id\": \"b\", \"in\": 1, \"out\": 1, \"tiers\": [{\"above\": 9, \"inn\": 1}]}]}",
         "prices: a/b: a tier has no member \"inn\""},
        {"{\"models\": [{\"provider\": \"a\", \"id\": \"b\", \"in\": 1, \"out\": 1, \"services\": {\"batch\": 0.5}}]}",
         "prices: a/b: services.batch: batch, flex and priority have thousandths of the price, 1 to 10000"},
        {"{\"models\": [{\"provider\": \"a\", \"id\": \"b\", \"in\": 1, \"out\": 1, \"services\": {\"slow\": 500}}]}",
         "prices: a/b: services.slow: batch, flex and priority have thousandths of the price, 1 to 10000"},
    };
    struct price_table *t;
    char why[PRICE_WHY];

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(price_table_load(base, sizeof base - 1, wrong[i].own, strlen(wrong[i].own), &t, why),
                         WEIR_E_INVALID_FIELD);
        ck_assert_str_eq(why, wrong[i].why);
        ck_assert_ptr_null(t);
    }
    ck_assert_int_eq(price_table_load("[", 1, NULL, 0, &t, why), WEIR_E_INVALID_JSON);
}
END_TEST

START_TEST(the_committed_table_loads_and_prices_known_models)
{
    static char text[1 << 20];
    const char *src = getenv("srcdir");
    char path[4096], why[PRICE_WHY] = "";
    struct price_table *t;
    size_t n;
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/data/prices.json", src ? src : ".");
    f = fopen(path, "re");
    ck_assert_msg(f != NULL, "%s", path);
    n = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    ck_assert_msg(!price_table_load(text, n, NULL, 0, &t, why), "%s", why);
    ck_assert_uint_gt(price_table_count(t), 300);
    expect(t, "openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini", PRICE_DATED);
    expect(t, "anthropic", "claude-opus-5-5", "claude-opus-5-5", PRICE_EXACT);
    expect(t, "builtin", "builtin/eliza", "eliza", PRICE_EXACT);
    ck_assert_int_eq(cost(t, "openai/gpt-4o-mini", (struct usage_tokens){.prompt = 12, .completion = 34}, PRICE_STANDARD).total,
                     22200000);                      /* $0.0000222 */
    ck_assert_int_eq(cost(t, "openai/gpt-4o-mini", (struct usage_tokens){.prompt = 12, .completion = 34}, PRICE_PRIORITY).total, 2 * 22200000);
    ck_assert_int_eq(cost(t, "anthropic/claude-opus-5-5", (struct usage_tokens){.prompt = 1000, .completion = 1}, PRICE_BATCH).total, 2000LL * 1000000 + 10000000);
    for (size_t i = 0; i < price_table_count(t); i++) {
        const struct price *p = price_table_at(t, i);

        expect(t, p->provider, p->id, p->id, PRICE_EXACT);
    }
    price_table_free(t);
}
END_TEST

UNIT_MAIN("price", a_name_is_resolved_in_the_documented_order, a_provider_in_the_name_is_understood,
          an_upstream_has_the_prices_of_its_host_or_its_name, cached_input_is_counted_once_at_its_own_rate,
          cache_writes_of_both_durations_have_their_rates, reasoning_is_part_of_the_output,
          past_a_tier_all_rates_change_and_not_one_token_earlier, a_service_has_rates_of_its_own_where_the_table_has_them,
          anthropics_usage_comes_to_its_price_in_parts_that_sum,
          more_cached_than_there_was_never_makes_input_negative,
          a_thousand_million_tokens_fit_and_what_does_not_is_refused, own_prices_replace_prices_and_keep_the_rest,
          free_is_known_and_unpriced_is_not_free, a_wrong_table_is_refused_with_the_model_and_the_member,
          the_committed_table_loads_and_prices_known_models)
