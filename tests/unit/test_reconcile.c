/* test_reconcile.c - providers' exports as rows, and calls at the edge of a day. */
#include "fixture_call.h"
#include "base/json.h"
#include "store/bill.h"
#include "store/reconcile.h"
#include "unit.h"

#define DAY INT64_C(20779)                 /* 2026-11-22 */

static struct bill read_bill(const char *text)
{
    const struct zone utc = zone_utc();
    struct sb why = sb_make(8192);
    struct bill b = {0};
    bool ok = bill_read(&b, "file", text, strlen(text), &utc, &why);

    ck_assert_msg(ok, "%s", sb_str(&why));
    sb_done(&why);
    return b;
}

static void assert_row(const struct bill *b, size_t i, int64_t day, const char *model, const int64_t part[BILL_PARTS])
{
    ck_assert_uint_gt(b->n, i);
    ck_assert_int_eq(b->row[i].day, day);
    ck_assert_str_eq(b->row[i].model, model);
    for (int p = 0; p < BILL_PARTS; p++)
        ck_assert_msg(b->row[i].part[p] == part[p], "row %zu part %d: %lld, not %lld", i, p, (long long)b->row[i].part[p], (long long)part[p]);
}

#define ROW(b, i, day, model, ...) assert_row(b, i, day, model, (const int64_t[BILL_PARTS]){__VA_ARGS__})

START_TEST(openai_counts_cached_tokens_as_input)
{
    struct bill b = read_bill("\xef\xbb\xbfstart_time,end_time,start_time_iso,end_time_iso,input_tokens,output_tokens,num_model_requests,model,batch,"
                              "input_cached_tokens,input_uncached_tokens\r\n"
                              "1795219200,1795305600,2026-11-21T00:00:00+00:00,2026-11-22T00:00:00+00:00,,,,,,,\r\n"
                              "1795305600,1795305660,2026-11-22T00:00:00+00:00,2026-11-22T00:01:00+00:00,7162,100,3.0,gpt-4o-2024-08-06,False,1280,5882\r\n");

    ck_assert_uint_eq(b.n, 1);
    ROW(&b, 0, DAY, "gpt-4o-2024-08-06", 3, 7162, 1280, 100, 0);
    ck_assert_int_eq(b.first_day, DAY - 1);
    ck_assert_int_eq(b.last_day, DAY);
    ck_assert_int_eq(b.provider, BILL_OPENAI);
    ck_assert(b.says[BILL_REQUESTS] && b.says[BILL_INPUT] && b.says[BILL_OUTPUT] && b.says[BILL_CACHED] && !b.says[BILL_COST]);
    bill_done(&b);
}
END_TEST

START_TEST(an_export_without_traffic_is_days_alone)
{
    struct bill b = read_bill("start_time,end_time,start_time_iso,end_time_iso\n1795305600,1795392000,2026-11-22T00:00:00,2026-11-23T00:00:00\n");

    ck_assert_uint_eq(b.n, 0);
    ck_assert_int_eq(b.first_day, DAY);
    bill_done(&b);
}
END_TEST

START_TEST(anthropic_counts_cached_tokens_apart)
{
    struct bill b = read_bill("{\"data\":[{\"starting_at\":\"2026-11-22T00:00:00Z\",\"ending_at\":\"2026-11-23T00:00:00Z\",\"results\":["
                              "{\"uncached_input_tokens\":1500,\"cache_creation\":{\"ephemeral_1h_input_tokens\":1000,\"ephemeral_5m_input_tokens\":500},"
                              "\"cache_read_input_tokens\":200,\"output_tokens\":500,\"server_tool_use\":{\"web_search_requests\":10},"
                              "\"model\":\"claude-opus-4-6\",\"service_tier\":\"standard\",\"api_key_id\":null}]}],\"has_more\":true,\"next_page\":\"x\"}");

    ROW(&b, 0, DAY, "claude-opus-4-6", 0, 3200, 200, 500, 0);
    ck_assert_int_eq(b.provider, BILL_ANTHROPIC);
    ck_assert(b.more_pages && !b.says[BILL_REQUESTS]);
    bill_done(&b);
}
END_TEST

START_TEST(anthropic_tells_costs_in_cents_and_openai_in_dollars)
{
    struct bill b = read_bill("{\"data\":[{\"starting_at\":\"2026-11-22T00:00:00Z\",\"ending_at\":\"2026-11-23T00:00:00Z\",\"results\":["
                              "{\"currency\":\"USD\",\"amount\":\"123.45\",\"model\":\"claude-opus-4-6\",\"cost_type\":\"tokens\"}]}],\"has_more\":false}\n"
                              "{\"object\":\"page\",\"data\":[{\"object\":\"bucket\",\"start_time\":1795305600,\"end_time\":1795392000,\"results\":["
                              "{\"amount\":{\"value\":0.06,\"currency\":\"usd\"},\"line_item\":\"GPT-4o mini, input\",\"project_id\":null}]}]}");

    ROW(&b, 0, DAY, "claude-opus-4-6", 0, 0, 0, 0, INT64_C(1234500000000));
    ROW(&b, 1, DAY, "gpt-4o-mini", 0, 0, 0, 0, INT64_C(60000000000));
    bill_done(&b);
    b = read_bill("{\"data\":[{\"start_time\":1795305600,\"end_time\":1795392000,\"results\":[{\"amount\":{\"value\":123456.789012345}}]}]}");
    ROW(&b, 0, DAY, "", 0, 0, 0, 0, INT64_C(123456789012345000));          /* 17 digits of that double end in 501 */
    bill_done(&b);
}
END_TEST

START_TEST(cells_may_be_quoted_and_separated_by_semicolons)
{
    struct bill b = read_bill("Day;Model;Input;Cached;Output;Cost USD\n\"2026-11-22\"; \"a;\"\"b\"\"\n\" ;1;0;2;\"$0.5\"\n\n");

    ROW(&b, 0, DAY, "a;\"b\"", 0, 1, 0, 2, INT64_C(500000000000));
    bill_done(&b);
    b = read_bill("day,model,cost\n2026-11-22,m,1234567.123456789012\n2026-11-22,n,-0.000000000001\n");
    ROW(&b, 0, DAY, "m", 0, 0, 0, 0, INT64_C(1234567123456789012));        /* a double would be off by 12 */
    ROW(&b, 1, DAY, "n", 0, 0, 0, 0, -1);
    bill_done(&b);
}
END_TEST

START_TEST(every_bad_row_is_named_and_none_counts)
{
    static const char *const bad[] = {
        "day,model,input\n2026-11-22,m,-1\n", "day,model,input\n2026-02-31,m,1\n", "day,model,input\n,m,1\n", "day,model,input\n2026-11-22,m,1.5\n",
        "day,model,input\n2026-11-22,m,1e30\n", "day,cost,currency\n2026-11-22,1,eur\n", "day,cost\n2026-11-22,nan\n", "day,input\n2026-11-22,\"1\n",
        "{\"data\":[{\"start_time\":1,\"results\":[{\"input_tokens\":[]}]}]}", "[1]", "{\"data\":[{\"results\":[{}]}]}", "",
    };
    const struct zone utc = zone_utc();

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sb why = sb_make(8192);
        struct bill b = {0};

        ck_assert_msg(!bill_read(&b, "file", bad[i], strlen(bad[i]), &utc, &why), "%s", bad[i]);
        ck_assert_msg(strncmp(sb_str(&why), "file, ", 6) == 0, "%s: %s", bad[i], sb_str(&why));
        ck_assert_uint_eq(b.n, 0);
        bill_done(&b);
        sb_done(&why);
    }
}
END_TEST

static json_t *told_json(const struct reconcile *r)
{
    struct sb out = sb_make(1 << 20);
    json_t *doc;
    char why[160];

    reconcile_json(r, &out);
    ck_assert_msg(json_parse_object(sb_str(&out), out.len, &json_limits_own, &doc, why) == WEIR_OK, "%s in %s", why, sb_str(&out));
    sb_done(&out);
    return doc;
}

static const char *why_kind(const json_t *row, size_t i)
{
    return json_str(json_array_get(json_object_get(row, "why"), i), "kind", NULL);
}

/* One call that is sent a second before midnight and takes five. */
START_TEST(a_call_across_midnight_explains_both_days)
{
    struct db *db = fixture_db(), *ro;
    struct call_record r;
    struct bill b = read_bill("day,model,requests,input_tokens,output_tokens\n2026-11-22,gpt-4o-mini,0,0,0\n2026-11-23,gpt-4o-mini-2024-07-18,1,12,34\n");
    const struct zone utc = zone_utc();
    struct settings s = {0};
    struct cfg_list none = {0};
    struct price_table *prices;
    struct reconcile_setup setup = {.bill = &b, .zone = &utc, .settings = &s, .upstreams = &none, .tolerance_ppm = 10000};
    struct reconcile *rec;
    char why[PRICE_WHY];
    json_t *doc, *rows;

    fixture_user(db, "usr_a");
    r = fixture_call("usr_a", (DAY + 1) * INT64_C(86400000) - 1000);
    ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    r.attempts[0].duration_us = 5000000;
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
    ck_assert_int_eq(price_table_load("{\"models\":[]}", 13, NULL, 0, &prices, why), WEIR_OK);
    setup.ro = ro = fixture_reader();
    setup.prices = prices;
    ck_assert_int_eq(reconcile_new(&setup, &rec), WEIR_OK);
    ck_assert(!reconcile_agrees(rec));
    doc = told_json(rec);
    rows = json_object_get(doc, "rows");
    ck_assert_uint_eq(json_array_size(rows), 2);
    ck_assert_str_eq(why_kind(json_array_get(rows, 0), 0), "name");
    ck_assert_str_eq(why_kind(json_array_get(rows, 0), 1), "day_edge");
    ck_assert_str_eq(why_kind(json_array_get(rows, 1), 1), "day_edge");
    ck_assert_ptr_null(why_kind(json_array_get(rows, 1), 2));
    ck_assert(json_is_true(json_object_get(json_object_get(doc, "total"), "within")));
    json_decref(doc);
    reconcile_free(rec);
    price_table_free(prices);
    bill_done(&b);
    db_close(ro);
    db_close(db);
}
END_TEST

UNIT_MAIN("reconcile", openai_counts_cached_tokens_as_input, an_export_without_traffic_is_days_alone, anthropic_counts_cached_tokens_apart,
          anthropic_tells_costs_in_cents_and_openai_in_dollars, cells_may_be_quoted_and_separated_by_semicolons, every_bad_row_is_named_and_none_counts,
          a_call_across_midnight_explains_both_days)
