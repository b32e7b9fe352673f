/* test_batch_estimate.c - how long a batch takes by the limits. */
#include "flow/batch_estimate.h"

#include "unit.h"

static int64_t takes(const char *dimensions, const char *stabilization, struct batch_need need)
{
    struct sb text = sb_make(4096);
    json_t *told;
    int64_t s;

    sb_putf(&text, "{\"upstreams\":[{\"name\":\"other\",\"dimensions\":{}},{\"name\":\"openai\",\"dimensions\":{%s},\"stabilization\":{%s}}]}", dimensions,
            stabilization);
    told = json_loads(sb_str(&text), 0, NULL);
    ck_assert_ptr_nonnull(told);
    s = batch_limits_s(told, "openai", &need);
    json_decref(told);
    sb_done(&text);
    return s;
}

#define FREE "\"requests_per_minute\":{\"limit\":60,\"remaining\":60}"
#define USED "\"requests_per_minute\":{\"limit\":60,\"remaining\":40}"

START_TEST(a_sixth_goes_at_once_and_the_rest_at_the_limits_rate)
{
    ck_assert_int_eq(takes(FREE, "", (struct batch_need){.requests = 10}), 0);
    ck_assert_int_eq(takes(FREE, "", (struct batch_need){.requests = 40}), 30);
    ck_assert_int_eq(takes(USED, "", (struct batch_need){.requests = 40}), 40);
}
END_TEST

START_TEST(the_tightest_dimension_counts)
{
    const struct batch_need need = {.requests = 40, .tokens_in = 4000, .tokens_out = 2000};

    ck_assert_int_eq(takes(USED ",\"tokens_per_minute\":{\"limit\":6000,\"remaining\":0}", "", need), 60);
    ck_assert_int_eq(takes(USED ",\"output_tokens_per_minute\":{\"limit\":600,\"remaining\":0},\"tokens_per_hour\":null", "", need), 200);
    ck_assert_int_eq(takes("\"requests_per_hour\":{\"limit\":36,\"remaining\":0}", "", need), 4000);
}
END_TEST

START_TEST(a_provider_that_recovers_is_slower)
{
    ck_assert_int_eq(takes(USED, "\"active\":true,\"rate_factor\":0.5", (struct batch_need){.requests = 40}), 80);
    ck_assert_int_eq(takes(USED, "\"active\":false,\"rate_factor\":0.5", (struct batch_need){.requests = 40}), 40);
}
END_TEST

START_TEST(where_nothing_is_limited_or_known_nothing_is_said)
{
    const struct batch_need need = {.requests = 1000, .tokens_in = 1000000, .tokens_out = 1000000};
    json_t *none = json_object();

    ck_assert_int_eq(takes("\"requests_per_minute\":null", "", need), 0);
    ck_assert_int_eq(batch_limits_s(none, "openai", &need), -1);
    ck_assert_int_eq(batch_limits_s(NULL, "openai", &need), -1);
    json_decref(none);
}
END_TEST

UNIT_MAIN("batch_estimate", a_sixth_goes_at_once_and_the_rest_at_the_limits_rate, the_tightest_dimension_counts, a_provider_that_recovers_is_slower,
          where_nothing_is_limited_or_known_nothing_is_said)
