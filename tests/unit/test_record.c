/* usage, cost and metrics as the interface promises them. */
#include "unit.h"

#include <string.h>

#include "store/record.h"
#include "store/waited.h"

static void assert_json(void (*write)(struct sb *, const struct call_record *), const struct call_record *r, const char *want)
{
    struct sb out = sb_make(1024);

    write(&out, r);
    ck_assert_str_eq(sb_str(&out), want);
    sb_done(&out);
}

START_TEST(a_record_reads_like_the_example_of_the_interface)
{
    struct call_record r;

    memset(&r, 0, sizeof r);
    r.usage.prompt = 12;
    r.usage.completion = 34;
    r.cost.priced = true;
    r.cost.input = 1800000;
    r.cost.output = 20400000;
    r.cost.total = 22200000;
    r.ttft_us = 310000;
    r.writing_us = 580000;
    r.duration_us = 890000;
    r.attempt_count = 1;
    r.answer_chars = 139;
    r.priority = PRIORITY_MEDIUM;
    assert_json(record_usage_json, &r, "{\"prompt_tokens\":12,\"cached_tokens\":0,\"completion_tokens\":34,"
                "\"reasoning_tokens\":0,\"total_tokens\":46,\"estimated\":false}");
    assert_json(record_cost_json, &r, "{\"input_usd\":0.0000018,\"output_usd\":0.0000204,\"total_usd\":0.0000222,"
                "\"priced\":true}");
    assert_json(record_metrics_json, &r, "{\"queue_ms\":0,\"retry_wait_ms\":0,\"ttft_ms\":310,\"writing_ms\":580,"
                "\"duration_ms\":890,\"retries\":0,\"attempts\":1,\"tokens_per_second\":58.6,\"chars_per_token\":4.09,"
                "\"priority\":\"Medium\"}");
}
END_TEST

START_TEST(rounded_parts_still_sum_to_the_duration)
{
    struct call_record r;

    memset(&r, 0, sizeof r);
    r.queue_us = r.retry_wait_us = r.ttft_us = r.writing_us = 1900;
    assert_json(record_metrics_json, &r, "{\"queue_ms\":1,\"retry_wait_ms\":2,\"ttft_ms\":2,\"writing_ms\":2,"
                "\"duration_ms\":7,\"retries\":0,\"attempts\":0,\"tokens_per_second\":0,\"chars_per_token\":null,"
                "\"priority\":\"Low\"}");
}
END_TEST

START_TEST(without_a_price_amounts_are_null)
{
    struct call_record r;

    memset(&r, 0, sizeof r);
    assert_json(record_cost_json, &r, "{\"input_usd\":null,\"output_usd\":null,\"total_usd\":null,\"priced\":false}");
}
END_TEST

START_TEST(ratios_are_rounded_exactly)
{
    static const struct { int64_t num, den; int places; const char *want; } rows[] = {
        {1, 3, 2, "0.33"}, {2, 3, 2, "0.67"}, {1, 2, 1, "0.5"}, {5, 1, 2, "5"}, {1, 0, 2, "null"}, {995, 1000, 2, "1"},
        {1, 1000, 2, "0"}, {INT64_MAX, 2, 1, "4611686018427387903.5"}, {105, 100, 3, "1.05"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sb out = sb_make(64);

        record_ratio_json(&out, rows[i].num, rows[i].den, rows[i].places);
        ck_assert_str_eq(sb_str(&out), rows[i].want);
        sb_done(&out);
    }
}
END_TEST

/* What is written of a wait is read back: each gate by its own name, and a call that never waited has no text. */
START_TEST(how_a_call_waited_is_a_line_of_json_and_back)
{
    struct call_record r, back;
    struct sb out = sb_make(1024);

    memset(&r, 0, sizeof r);
    waited_write(&r, &out);
    ck_assert_int_eq((int)out.len, 0);
    r.held_us[DIM_TOKENS_PER_MINUTE] = 1204000;
    r.held_us[GATE_SPREAD + DIM_TOKENS_PER_MINUTE] = 60000;
    r.held_us[GATE_CONCURRENCY] = 5000;
    r.held_us[GATE_SESSION] = 300000;
    r.promised_ms = 900;
    r.promised_position = 2;
    waited_write(&r, &out);
    ck_assert_str_eq(sb_str(&out), "{\"held_ms\":{\"tokens_per_minute\":1204,\"concurrency\":5,\"session\":300,"
                                   "\"tokens_per_minute_spread\":60},"
                                   "\"promised_ms\":900,\"position\":2}");
    ck_assert_int_eq(gate_longest(r.held_us), (enum gate)DIM_TOKENS_PER_MINUTE);
    waited_read(sb_str(&out), &back);
    ck_assert_mem_eq(back.held_us, r.held_us, sizeof r.held_us);
    ck_assert_int_eq(back.promised_ms, 900);
    ck_assert_int_eq(back.promised_position, 2);
    waited_read(NULL, &back);
    ck_assert_int_eq(gate_longest(back.held_us), GATE_NONE);
    ck_assert_int_eq(back.promised_position, 0);
    waited_read("no such text", &back);
    ck_assert_int_eq(gate_longest(back.held_us), GATE_NONE);
    sb_done(&out);
}
END_TEST

/* A limit is one gate, whichever way it held: as it is explained, so it is exported. */
START_TEST(the_sum_of_a_limit_and_its_pace_hold_together)
{
    int64_t held_us[GATE_COUNT] = {[DIM_TOKENS_PER_MINUTE] = 500, [GATE_SPREAD + DIM_TOKENS_PER_MINUTE] = 600, [GATE_CONCURRENCY] = 1000};

    ck_assert_int_eq(gate_longest(held_us), (enum gate)(GATE_SPREAD + DIM_TOKENS_PER_MINUTE));
    held_us[DIM_TOKENS_PER_MINUTE] = 601;
    ck_assert_int_eq(gate_longest(held_us), (enum gate)DIM_TOKENS_PER_MINUTE);
    held_us[GATE_CONCURRENCY] = 1202;
    ck_assert_int_eq(gate_longest(held_us), GATE_CONCURRENCY);
}
END_TEST

UNIT_MAIN("record", the_sum_of_a_limit_and_its_pace_hold_together, a_record_reads_like_the_example_of_the_interface, rounded_parts_still_sum_to_the_duration,
          without_a_price_amounts_are_null, ratios_are_rounded_exactly, how_a_call_waited_is_a_line_of_json_and_back)
