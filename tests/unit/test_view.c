/* test_view.c - figures as pages show them, and the templates they go into. */
#include "web/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"
#include "web/page.h"
#include "web/view_chat.h"
#include "web/view_engine.h"

/* The text of a value, which is given up; valid until the next call. */
static const char *said(json_t *v)
{
    static char text[512];

    snprintf(text, sizeof text, "%s", json_string_value(v));
    json_decref(v);
    return text;
}

START_TEST(money_has_six_decimals_below_a_cent_four_below_a_dollar_else_two)
{
    ck_assert_str_eq(said(view_money(0)), "$0.00");
    ck_assert_str_eq(said(view_money(0.0000003)), "< $0.000001");
    ck_assert_str_eq(said(view_money(0.0001746)), "$0.000175");
    ck_assert_str_eq(said(view_money(0.1795)), "$0.1795");
    ck_assert_str_eq(said(view_money(12.4)), "$12.40");
    ck_assert_str_eq(said(view_money(1234567.891)), "$1,234,567.89");
}
END_TEST

START_TEST(a_span_grows_its_unit_with_its_length)
{
    ck_assert_str_eq(said(view_span(0)), "0.00 s");
    ck_assert_str_eq(said(view_span(420)), "0.42 s");
    ck_assert_str_eq(said(view_span(1800)), "1.8 s");
    ck_assert_str_eq(said(view_span(14000)), "14 s");
    ck_assert_str_eq(said(view_span(59800)), "1 min");
    ck_assert_str_eq(said(view_span(200000)), "3 min 20 s");
    ck_assert_str_eq(said(view_span(7500000)), "2 h 5 min");
}
END_TEST

START_TEST(what_is_not_known_is_a_dash_and_never_zero)
{
    ck_assert_str_eq(said(view_count((double)NAN)), "—");
    ck_assert_str_eq(said(view_money((double)NAN)), "—");
    ck_assert_str_eq(said(view_span((double)NAN)), "—");
    ck_assert_str_eq(said(view_percent((double)NAN)), "—");
    ck_assert_str_eq(said(view_time(NULL, VIEW_CLOCK)), "—");
    ck_assert(isnan(view_number(NULL, "x")));
}
END_TEST

START_TEST(a_free_model_is_free_and_one_without_a_price_is_a_dash)
{
    json_t *free_of_charge = json_pack("{s:b, s:f}", "priced", 1, "total_usd", 0.0);
    json_t *unpriced = json_pack("{s:b, s:n}", "priced", 0, "total_usd");

    ck_assert_str_eq(said(view_cost(free_of_charge)), "free");
    ck_assert_str_eq(said(view_cost(unpriced)), "—");
    json_decref(free_of_charge);
    json_decref(unpriced);
}
END_TEST

START_TEST(a_change_needs_something_to_compare_with)
{
    ck_assert_str_eq(said(view_change(112, 100, "day")), "+12 % on the day before");
    ck_assert_str_eq(said(view_change(50, 100, "week")), "-50 % on the week before");
    ck_assert_str_eq(said(view_change(5, 0, "hour")), "nothing in the hour before");
    ck_assert_str_eq(said(view_change(0, 0, "hour")), "as in the hour before");
}
END_TEST

START_TEST(a_time_shows_the_part_that_is_asked_for)
{
    json_t *at = json_string("2026-11-22T06:20:09.123Z");

    ck_assert_str_eq(said(view_time(at, VIEW_CLOCK)), "06:20");
    ck_assert_str_eq(said(view_time(at, VIEW_SECONDS)), "06:20:09");
    ck_assert_str_eq(said(view_time(at, VIEW_DAY)), "2026-11-22");
    ck_assert_str_eq(said(view_time(at, VIEW_MINUTE)), "2026-11-22 06:20");
    ck_assert_str_eq(said(view_time(at, VIEW_SHORT)), "11-22 06:20:09");
    json_decref(at);
}
END_TEST

START_TEST(the_line_under_an_answer_has_its_seven_parts_in_order)
{
    static const char *const labels[] = {"Tokens", "Cost", "Efficiency", "First token", "Speed", "Queued", "Retries"};
    static const char *const values[] = {"≈ 412 in / 188 out", "$0.000175", "4.1 chars/tok", "0.42 s", "71 tok/s", "1.8 s", "1"};
    json_t *m = json_loads("{\"usage\":{\"prompt_tokens\":412,\"completion_tokens\":188,\"estimated\":true},"
                           "\"cost\":{\"priced\":true,\"total_usd\":0.0001746},\"metrics\":{\"chars_per_token\":4.1,"
                           "\"tokens_per_second\":71.2,\"ttft_ms\":420,\"queue_ms\":1800,\"retries\":1,\"retry_wait_ms\":900}}", 0, NULL);
    json_t *line = view_metrics(m);

    ck_assert_uint_eq(json_array_size(line), 7);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(line, i), "label")), labels[i]);
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(line, i), "value")), values[i]);
        ck_assert_int_eq(json_is_true(json_object_get(json_array_get(line, i), "dot")), i < 6);
    }
    json_decref(line);
    json_decref(m);
}
END_TEST

START_TEST(an_answer_without_figures_has_no_line)
{
    json_t *m = json_object();

    ck_assert_ptr_null(view_metrics(m));
    json_decref(m);
}
END_TEST

static struct admit_upstream_view upstream(const char *name)
{
    return (struct admit_upstream_view){.name = name, .status = ADMIT_HEALTHY, .rate_ppm = 1000000, .max_concurrent = 32};
}

static const char *word_of(struct admit_upstream_view *u, size_t n)
{
    struct snapshot s = {.upstreams = u, .upstream_count = n};
    json_t *h = view_health(&s);
    json_t *word = json_incref(json_object_get(h, "word"));

    json_decref(h);
    return said(word);
}

START_TEST(health_is_that_of_the_worst_provider_and_down_only_when_all_are)
{
    struct admit_upstream_view u[2] = {upstream("a"), upstream("b")};

    ck_assert_str_eq(word_of(u, 2), "Healthy");
    u[0].status = ADMIT_WARNING;
    ck_assert_str_eq(word_of(u, 2), "Warning");
    u[0].stabilizing = true;
    ck_assert_str_eq(word_of(u, 2), "Stabilizing");
    u[0].down = true;
    ck_assert_str_eq(word_of(u, 2), "Limited");
    u[1].down = true;
    ck_assert_str_eq(word_of(u, 2), "Down");
}
END_TEST

/* One ledger of a user, its levels at a half and four fifths. */
static struct snapshot_budget ledger(const char *key, int64_t limit, int64_t spent, int64_t held, int32_t warned)
{
    struct snapshot_budget b = {.rule = {.id = "bud_a", .scope = BUDGET_USER, .window = BUDGET_MONTH, .each = true, .limit = limit,
                                         .warn = {500000, 800000}, .warns = 2},
                                .view = {.span = {0, INT64_C(1796083200000)}, .spent = spent, .held = held,
                                         .left = limit - spent - held, .warned = warned}};

    snprintf(b.key, sizeof b.key, "%s", key);
    snprintf(b.tz, sizeof b.tz, "UTC");
    return b;
}

static const char *part(const json_t *gauge, const char *name)
{
    return json_string_value(json_object_get(gauge, name));
}

START_TEST(a_budget_shows_what_is_spent_and_the_warning_it_has_reached)
{
    const int64_t usd = INT64_C(1000000000000);
    struct snapshot_budget b[] = {ledger("usr_a", 5 * usd, 0, 0, 0), ledger("usr_a", 5 * usd, 3 * usd, usd, 500000),
                                  ledger("usr_b", 5 * usd, 5 * usd, 0, 800000)};
    struct snapshot s = {.budget_count = 3, .budgets = b};
    struct zone utc = zone_utc(), there;
    json_t *all, *mine, *g;

    for (size_t i = 0; i < 3; i++) {
        b[i].view.rule = &b[i].rule;
        b[i].view.key = b[i].key;
    }
    all = view_budgets(&s, NULL, &utc);
    mine = view_budgets(&s, "usr_b", &utc);
    ck_assert_uint_eq(json_array_size(all), 3);
    ck_assert_uint_eq(json_array_size(mine), 1);
    g = json_array_get(all, 0);
    ck_assert_str_eq(part(g, "tone"), "ok");
    ck_assert_str_eq(part(g, "foot"), "resets 2026-12-01 00:00 UTC");
    ck_assert_str_eq(part(g, "reserve_pct"), "50.00%");
    g = json_array_get(all, 1);
    ck_assert_str_eq(part(g, "name"), "Month of user usr_a");
    ck_assert_str_eq(part(g, "num"), "$3.00 of $5.00");
    ck_assert_str_eq(part(g, "tone"), "warn");
    ck_assert_str_eq(part(g, "foot"), "50 % reached · resets 2026-12-01 00:00 UTC");
    ck_assert_str_eq(part(g, "used_pct"), "60.00%");
    ck_assert_str_eq(part(g, "held_pct"), "20.00%");
    ck_assert_str_eq(part(g, "reserve_pct"), "80.00%");
    g = json_array_get(mine, 0);
    ck_assert_str_eq(part(g, "tone"), "err");
    ck_assert_str_eq(part(g, "reserve_pct"), "100.00%");
    json_decref(all);
    ck_assert(zone_load("Asia/Kolkata", &there));
    all = view_budgets(&s, NULL, &there);
    ck_assert_str_eq(part(json_array_get(all, 0), "foot"), "resets 2026-12-01 05:30 Asia/Kolkata (midnight UTC)");
    json_decref(all);
    json_decref(mine);
}
END_TEST

START_TEST(conversations_stand_under_their_day_and_pinned_ones_above)
{
    static const char *const days[] = {"Pinned", "Today", "Yesterday", "Last 7 days", "Last 30 days", "Earlier"};
    json_t *items = json_loads("[{\"session_id\":\"a\",\"title\":\"A\",\"pinned\":true,\"updated_at\":\"2026-01-01T00:00:00Z\"},"
                               "{\"session_id\":\"b\",\"title\":\"B\",\"updated_at\":\"2026-11-22T00:00:00Z\"},"
                               "{\"session_id\":\"c\",\"title\":\"C\",\"updated_at\":\"2026-11-21T23:59:59Z\"},"
                               "{\"session_id\":\"d\",\"title\":\"D\",\"updated_at\":\"2026-11-15T00:00:00Z\"},"
                               "{\"session_id\":\"e\",\"title\":\"E\",\"updated_at\":\"2026-11-14T23:59:59Z\"},"
                               "{\"session_id\":\"f\",\"title\":\"F\",\"updated_at\":\"2025-01-01T00:00:00Z\"}]", 0, NULL);
    int64_t noon_ms = INT64_C(1795348800000);      /* 2026-11-22T12:00:00Z */
    json_t *groups = view_sessions(items, "c", noon_ms);

    ck_assert_uint_eq(json_array_size(groups), 6);
    for (size_t i = 0; i < 6; i++) {
        const json_t *g = json_array_get(groups, i), *s = json_array_get(json_object_get(g, "sessions"), 0);

        ck_assert_str_eq(json_string_value(json_object_get(g, "day")), days[i]);
        ck_assert_int_eq(json_is_true(json_object_get(s, "current")), i == 2);
    }
    json_decref(groups);
    json_decref(items);
}
END_TEST

START_TEST(an_answer_says_how_it_ended_unless_it_ended_well)
{
    json_t *items = json_loads("[{\"role\":\"user\",\"content\":\"Hello\",\"at\":\"2026-11-22T06:20:09.123Z\"},"
                               "{\"role\":\"assistant\",\"content\":\"Hi\",\"status\":\"success\",\"finish_reason\":\"stop\"},"
                               "{\"role\":\"assistant\",\"content\":\"H\",\"status\":\"success\",\"finish_reason\":\"length\"},"
                               "{\"role\":\"assistant\",\"content\":\"H\",\"status\":\"cancelled\",\"finish_reason\":\"cancelled\"},"
                               "{\"role\":\"assistant\",\"content\":\"H\",\"status\":\"error\",\"finish_reason\":null},"
                               "{\"role\":\"system\",\"content\":\"Be kind\"}]", 0, NULL);
    static const char *const chips[] = {NULL, NULL, "Stopped at the output limit", "Stopped", "This answer broke off"};
    json_t *list = view_messages(items);

    ck_assert_uint_eq(json_array_size(list), 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_pstr_eq(json_string_value(json_object_get(json_array_get(list, i), "chip")), chips[i]);
    json_decref(list);
    json_decref(items);
}
END_TEST

START_TEST(every_template_is_well_formed_and_a_message_is_escaped)
{
    char dir[512], why[PAGE_WHY];
    const char *top = getenv("srcdir");
    struct page_set *set = NULL;
    struct sb out = sb_make(64 * 1024);
    json_t *m = json_pack("{s:s}", "content", "<script>alert('x')</script>");

    snprintf(dir, sizeof dir, "%s/templates", top ? top : ".");
    ck_assert_msg(page_set_load(dir, &set, why) == WEIR_OK, "%s", why);
    ck_assert_int_eq(page_render(set, "msg_user", m, &out), WEIR_OK);
    ck_assert_ptr_null(strstr(sb_str(&out), "<script>"));
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "&lt;script&gt;"));
    json_decref(m);
    sb_done(&out);
    page_set_free(set);
}
END_TEST

UNIT_MAIN("view", money_has_six_decimals_below_a_cent_four_below_a_dollar_else_two, a_span_grows_its_unit_with_its_length,
          what_is_not_known_is_a_dash_and_never_zero, a_free_model_is_free_and_one_without_a_price_is_a_dash,
          a_change_needs_something_to_compare_with, a_time_shows_the_part_that_is_asked_for,
          the_line_under_an_answer_has_its_seven_parts_in_order, an_answer_without_figures_has_no_line,
          health_is_that_of_the_worst_provider_and_down_only_when_all_are,
          a_budget_shows_what_is_spent_and_the_warning_it_has_reached, conversations_stand_under_their_day_and_pinned_ones_above, an_answer_says_how_it_ended_unless_it_ended_well, every_template_is_well_formed_and_a_message_is_escaped)
