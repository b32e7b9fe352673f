/* bill_json.c - pages of buckets with results: {"data":[{"start_time":…,"results":[{…}]}]}. */
#include "store/bill_row.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* The members of an object, and of the two objects that may be inside it. */
static void take_members(struct bill_reader *r, json_t *o)
{
    const char *key;
    json_t *v;

    json_object_foreach(o, key, v) {
        enum bill_member m = bill_member(key, strlen(key), &r->bill->provider);
        struct sb number = sb_make(64);

        if (strcmp(key, "cache_creation") == 0 && json_is_object(v)) {
            take_members(r, v);
        } else if (strcmp(key, "amount") == 0 && json_is_object(v)) {
            take_members(r, v);
        } else if (json_is_string(v)) {
            bill_take(r, m == MEMBER_NONE && strcmp(key, "value") == 0 ? MEMBER_COST : m, key, json_string_value(v));
        } else if (json_is_number(v)) {
            if (json_is_integer(v))
                sb_i64(&number, json_integer_value(v));
            else
                sb_real(&number, json_real_value(v));       /* its digits as they stand in the file, up to 15 */
            bill_take(r, m == MEMBER_NONE && strcmp(key, "value") == 0 ? MEMBER_COST : m, key, sb_str(&number));
        } else if (!json_is_null(v) && m != MEMBER_NONE) {
            bill_fault(r, "'%.40s' is neither text nor a number.", key);
        }
        sb_done(&number);
    }
}

static void read_result(struct bill_reader *r, json_t *bucket, json_t *result)
{
    static const char *const times[] = {"start_time", "starting_at", "end_time", "ending_at"};
    int64_t before = r->faults;
    json_t *span = json_object();

    /* Anthropic's amounts are text, in cents. */
    r->cents = json_object_get(bucket, "starting_at") && json_is_string(json_object_get(result, "amount"));
    bill_begin(r);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (json_object_get(bucket, times[i]))
            (void)json_object_set(span, times[i], json_object_get(bucket, times[i]));
    take_members(r, span);
    json_decref(span);
    if (result)
        take_members(r, result);
    if (r->faults == before)
        bill_end(r);
}

static void read_page(struct bill_reader *r, json_t *page, int n)
{
    json_t *buckets = json_object_get(page, "data"), *bucket, *result;
    size_t i, k;

    (void)snprintf(r->where, sizeof r->where, "page %d", n);
    if (!json_is_array(buckets)) {
        bill_fault(r, "there is no list \"data\", so this is no answer of a usage or cost endpoint.");
        return;
    }
    r->bill->more_pages = json_is_true(json_object_get(page, "has_more"));
    json_array_foreach(buckets, i, bucket) {
        json_t *results = json_object_get(bucket, "results");

        (void)snprintf(r->where, sizeof r->where, "page %d data[%zu]", n, i);
        if (!json_is_array(results)) {
            bill_fault(r, "there is no list \"results\".");
            continue;
        }
        if (json_array_size(results) == 0)
            read_result(r, bucket, NULL);        /* a time without traffic */
        json_array_foreach(results, k, result) {
            (void)snprintf(r->where, sizeof r->where, "page %d data[%zu].results[%zu]", n, i, k);
            read_result(r, bucket, result);
        }
    }
}

void bill_read_json(struct bill_reader *r, const char *text, size_t n)
{
    for (int page = 1; n; page++) {
        json_error_t error;
        json_t *doc = json_loadb(text, n, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error), *one;
        size_t i, used;

        if (!doc) {
            (void)snprintf(r->where, sizeof r->where, "line %d", error.line);
            bill_fault(r, "this is no JSON: %s.", error.text);
            return;
        }
        used = (size_t)error.position;
        if (json_is_array(doc)) {
            json_array_foreach(doc, i, one)
                read_page(r, one, (int)i + 1);
        } else {
            read_page(r, doc, page);
        }
        json_decref(doc);
        text += used, n -= used;
        while (n && strchr(" \t\r\n,", *text))
            text++, n--;
    }
}
