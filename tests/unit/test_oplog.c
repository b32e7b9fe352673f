/* The operations log: a line a call, files that make room, and nothing it holds up. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "flow/oplog.h"

static char dir[] = "/tmp/weir-oplog-XXXXXX";
static char path[64];

static struct call_record a_call(int n)
{
    struct call_record r;

    memset(&r, 0, sizeof r);
    snprintf(r.request_id, sizeof r.request_id, "req_%d", n);
    r.user_id = "usr_a";
    r.model = "gpt-4o-mini";
    r.upstream = "openai";
    r.api_endpoint = "/chat/complete";
    r.priority = PRIORITY_HIGH;
    r.user_text = "what was asked";
    r.answer = "what was answered";
    r.accepted_at_ms = 1795328400000;
    r.ended_at_ms = 1795328400890;
    r.usage.prompt = 12;
    r.usage.completion = 34;
    r.queue_us = 40000;
    r.retry_wait_us = 2000;
    r.status = CALL_ERROR;
    r.error_code = "upstream_timeout";
    r.attempt_count = 2;
    return r;
}

static void begin(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/operations.jsonl", dir);
}

static FILE *file_at(int older)
{
    char name[80];

    if (older)
        snprintf(name, sizeof name, "%s.%d", path, older);
    else
        snprintf(name, sizeof name, "%s", path);
    return fopen(name, "r");
}

/* Lines of one file; checks that each is whole. *first: the number of its first call. */
static int lines_of(int older, int *first)
{
    FILE *f = file_at(older);
    char line[4096], why[160];
    int n = 0;

    while (f && fgets(line, sizeof line, f)) {
        json_t *j;

        ck_assert_int_eq(json_parse_object(line, strlen(line), &json_limits_own, &j, why), WEIR_OK);
        if (n++ == 0)
            *first = atoi(json_str(j, "request_id", "req_") + 4);
        json_decref(j);
    }
    if (f)
        fclose(f);
    return n;
}

static void end(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(a_call_is_one_line_of_numbers_and_ids_without_text)
{
    struct call_record r = a_call(1);
    struct oplog *o;
    char line[4096];
    struct stat st;
    FILE *f;

    begin();
    o = oplog_open(path, 1 << 20, 3);
    oplog_note(o, &r);
    oplog_close(o);
    f = file_at(0);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
    fclose(f);
    ck_assert_str_eq(line, "{\"request_id\":\"req_1\",\"user_id\":\"usr_a\",\"session_id\":null,\"model\":\"gpt-4o-mini\","
        "\"upstream\":\"openai\",\"api_endpoint\":\"/chat/complete\",\"priority\":\"High\",\"start\":\"2026-11-22T06:20:00.000Z\","
        "\"end\":\"2026-11-22T06:20:00.890Z\",\"delay_ms\":42,\"status\":\"error\",\"finish_reason\":null,"
        "\"error\":\"upstream_timeout\",\"attempts\":2,\"usage\":{\"prompt_tokens\":12,\"cached_tokens\":0,\"completion_tokens\":34,"
        "\"reasoning_tokens\":0,\"total_tokens\":46,\"estimated\":false},\"cost\":{\"input_usd\":null,\"output_usd\":null,"
        "\"total_usd\":null,\"priced\":false},\"metrics\":{\"queue_ms\":40,\"retry_wait_ms\":2,\"ttft_ms\":0,\"writing_ms\":0,"
        "\"duration_ms\":42,\"retries\":1,\"attempts\":2,\"tokens_per_second\":null,\"chars_per_token\":0,\"priority\":\"High\"}}\n");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq((int)(st.st_mode & 0777), 0600);
    end();
}
END_TEST

START_TEST(full_files_move_on_and_the_oldest_goes)
{
    struct oplog *o;
    int first = 0, next = 0, n;

    begin();
    o = oplog_open(path, 4096, 2);
    for (int i = 0; i < 60; i++) {
        struct call_record r = a_call(i);

        if (i == 31) {                   /* a restart goes on where it was */
            oplog_close(o);
            o = oplog_open(path, 4096, 2);
        }
        oplog_note(o, &r);
    }
    oplog_close(o);
    ck_assert_ptr_null(file_at(3));
    for (int older = 2; older >= 0; older--) {
        struct stat st;
        char name[80];

        snprintf(name, sizeof name, older ? "%s.%d" : "%s", path, older);
        ck_assert_int_eq(stat(name, &st), 0);
        ck_assert_int_le((int)st.st_size, 4096);
        n = lines_of(older, &first);
        ck_assert_int_gt(n, 0);
        if (older < 2)
            ck_assert_int_eq(first, next);
        next = first + n;
    }
    ck_assert_int_eq(next, 60);
    end();
}
END_TEST

START_TEST(where_it_cannot_be_written_nothing_is_held_up_and_it_goes_on_when_it_can)
{
    struct call_record r = a_call(1);
    struct oplog *o;
    char away[64];
    int first;

    begin();
    snprintf(away, sizeof away, "%s-away", dir);
    ck_assert_int_eq(rename(dir, away), 0);
    o = oplog_open(path, 4096, 2);
    oplog_note(o, &r);
    oplog_note(o, &r);
    ck_assert_int_eq(rename(away, dir), 0);
    oplog_note(o, &r);
    oplog_close(o);
    ck_assert_int_eq(lines_of(0, &first), 1);
    end();
}
END_TEST

UNIT_MAIN("oplog", a_call_is_one_line_of_numbers_and_ids_without_text, full_files_move_on_and_the_oldest_goes,
          where_it_cannot_be_written_nothing_is_held_up_and_it_goes_on_when_it_can)
