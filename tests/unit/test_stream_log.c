/* test_stream_log.c - events kept and said again. */
#include "flow/stream_log.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

/* What was sent, event by event, and the log of it. */
struct sent {
    struct stream_log log;
    struct sb all, text, reasoning;
    size_t end[2000];
    int64_t n;
};

static void begin(struct sent *s)
{
    *s = (struct sent){.log = stream_log_make(), .all = sb_make(1 << 24), .text = sb_make(1 << 20), .reasoning = sb_make(1 << 20)};
}

static void end(struct sent *s)
{
    stream_log_done(&s->log);
    sb_done(&s->all);
    sb_done(&s->text);
    sb_done(&s->reasoning);
}

static void say(struct sent *s, enum stream_event kind, const char *what, size_t n)
{
    size_t from = s->all.len;

    s->n++;
    if (kind == STREAM_TEXT || kind == STREAM_REASONING) {
        stream_delta_put(&s->all, s->n, kind, what, n);
        sb_put(kind == STREAM_TEXT ? &s->text : &s->reasoning, what, n);
        stream_log_delta(&s->log, kind, n);
    } else {
        sb_putf(&s->all, "id: %d\nevent: x\ndata: %.*s\n\n", (int)s->n, (int)n, what);
        stream_log_event(&s->log, kind, sb_str(&s->all) + from, s->all.len - from);
    }
    s->end[s->n] = s->all.len;
}

START_TEST(every_end_of_it_is_said_again_byte_for_byte)
{
    struct sb out = sb_make(1 << 24);
    struct sent s;

    begin(&s);
    say(&s, STREAM_EVENT, "accepted", 8);
    say(&s, STREAM_GAUGE, "limits", 6);
    for (int i = 0; i < 300; i++) {
        char word[32];
        int n = snprintf(word, sizeof word, " w%d\\n", i * i);

        say(&s, i % 7 == 3 ? STREAM_REASONING : STREAM_TEXT, word, (size_t)n);
        if (i % 50 == 0)
            say(&s, STREAM_GAUGE, "gauge", 5);
    }
    say(&s, STREAM_TEXT, "", 0);
    say(&s, STREAM_EVENT, "done", 4);
    for (int64_t after = 0; after <= s.n + 2; after++) {
        size_t from = s.end[after < s.n ? after : s.n];

        sb_reset(&out);
        stream_log_replay(&s.log, after, &s.text, &s.reasoning, &out);
        ck_assert_uint_eq(out.len, s.all.len - from);
        ck_assert_mem_eq(sb_str(&out), sb_str(&s.all) + from, out.len);
    }
    ck_assert_uint_lt(stream_log_size(&s.log), s.all.len / 2);
    sb_done(&out);
    end(&s);
}
END_TEST

START_TEST(of_many_gauges_the_newest_stay_and_nothing_else_is_lost)
{
    char gauge[401];
    struct sb out = sb_make(1 << 24);
    struct sent s;
    const char *at;
    int gauges = 0, texts = 0;

    memset(gauge, 'g', sizeof gauge - 1);
    gauge[sizeof gauge - 1] = '\0';
    begin(&s);
    say(&s, STREAM_EVENT, "accepted", 8);
    for (int i = 0; i < 500; i++) {
        say(&s, STREAM_GAUGE, gauge, sizeof gauge - 1);
        say(&s, STREAM_TEXT, "t", 1);
    }
    say(&s, STREAM_EVENT, "done", 4);
    ck_assert_uint_lt(stream_log_size(&s.log), 64 * 1024);
    stream_log_replay(&s.log, 0, &s.text, &s.reasoning, &out);
    for (at = sb_str(&out); (at = strstr(at, "ggg")); at += sizeof gauge - 1)
        gauges++;
    for (at = sb_str(&out); (at = strstr(at, "\"t\"")); at++)
        texts++;
    ck_assert_int_gt(gauges, 0);
    ck_assert_int_le(gauges, 21);
    ck_assert_int_eq(texts, 500);
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "id: 1\nevent: x\ndata: accepted\n\n"));
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "id: 1002\nevent: x\ndata: done\n\n"));
    sb_done(&out);
    end(&s);
}
END_TEST

UNIT_MAIN("stream_log", every_end_of_it_is_said_again_byte_for_byte, of_many_gauges_the_newest_stay_and_nothing_else_is_lost)
