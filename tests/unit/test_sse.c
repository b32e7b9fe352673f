/* test_sse.c - the same events come out however the stream is cut. */
#include <string.h>

#include "base/sb.h"
#include "peer/sse.h"
#include "unit.h"

static enum weir_err collect(void *ctx, const char *data, size_t n)
{
    struct sb *out = ctx;

    sb_putc(out, '<');
    sb_put(out, data, n);
    sb_putc(out, '>');
    return WEIR_OK;
}

static const char stream[] =
    ": a comment\n"
    "data: {\"a\":1}\n\n"
    "event: x\ndata:no blank\r\n\r\n"
    "data: two\ndata: lines\n\n"
    "id: 7\n\n"                          /* no data: no event */
    "data\n\n"                           /* empty data */
    "datum: x\n\n"
    "data: cr\r\rdata:  space\r\n\r\n"
    "data: \xf0\x9f\x98\x80\n\n\n\n"
    "data: [DONE]\n\n";
static const char events[] = "<{\"a\":1}><no blank><two\nlines><><cr>< space><\xf0\x9f\x98\x80><[DONE]>";

START_TEST(every_cut_in_two_gives_the_same_events)
{
    for (size_t cut = 0; cut < sizeof stream; cut++) {
        struct sse s = {0};
        struct sb out = sb_make(4096);

        ck_assert_int_eq(sse_feed(&s, stream, cut, collect, &out), WEIR_OK);
        ck_assert_int_eq(sse_feed(&s, stream + cut, sizeof stream - 1 - cut, collect, &out), WEIR_OK);
        ck_assert_str_eq(sb_str(&out), events);
        sse_done(&s);
        sb_done(&out);
    }
}
END_TEST

START_TEST(pieces_of_every_size_give_the_same_events)
{
    for (size_t size = 1; size < sizeof stream; size++) {
        struct sse s = {0};
        struct sb out = sb_make(4096);

        for (size_t at = 0; at < sizeof stream - 1; at += size) {
            size_t n = sizeof stream - 1 - at < size ? sizeof stream - 1 - at : size;
            char *copy = malloc(n);                       /* gone at once: nothing may point into it */

            memcpy(copy, stream + at, n);
            ck_assert_int_eq(sse_feed(&s, copy, n, collect, &out), WEIR_OK);
            free(copy);
        }
        ck_assert_str_eq(sb_str(&out), events);
        sse_done(&s);
        sb_done(&out);
    }
}
END_TEST

START_TEST(a_whole_data_line_counts_at_the_end_and_half_a_line_does_not)
{
    struct sse s = {0};
    struct sb out = sb_make(4096);

    ck_assert_int_eq(sse_feed(&s, "data: whole\ndata: half", 22, collect, &out), WEIR_OK);
    ck_assert_int_eq(sse_end(&s, collect, &out), WEIR_OK);
    ck_assert_str_eq(sb_str(&out), "<whole>");
    sse_done(&s);
    sb_done(&out);
}
END_TEST

START_TEST(a_line_without_end_is_refused_at_one_mebibyte)
{
    static char block[65536];
    struct sse s = {0};
    struct sb out = sb_make(4096);
    enum weir_err e = WEIR_OK;
    size_t fed = 0;

    memset(block, 'x', sizeof block);
    while (!e && fed < 4 * (size_t)SSE_EVENT_MAX) {
        e = sse_feed(&s, block, sizeof block, collect, &out);
        fed += sizeof block;
    }
    ck_assert_int_eq(e, WEIR_E_UPSTREAM_TOO_LARGE);
    ck_assert_uint_eq(fed, SSE_EVENT_MAX + sizeof block);
    sse_done(&s);
    sb_done(&out);
}
END_TEST

START_TEST(an_event_of_many_lines_is_refused_at_one_mebibyte)
{
    static char line[1024];
    struct sse s = {0};
    struct sb out = sb_make(4096);
    enum weir_err e = WEIR_OK;
    int lines = 0;

    memset(line, 'y', sizeof line);
    memcpy(line, "data: ", 6);
    line[sizeof line - 1] = '\n';
    for (; !e && lines < 5000; lines++)
        e = sse_feed(&s, line, sizeof line, collect, &out);
    ck_assert_int_eq(e, WEIR_E_UPSTREAM_TOO_LARGE);
    ck_assert_int_le(lines, SSE_EVENT_MAX / 1000);
    sse_done(&s);
    sb_done(&out);
}
END_TEST

static enum weir_err refuse(void *ctx, const char *data, size_t n)
{
    (void)data;
    (void)n;
    ++*(int *)ctx;
    return WEIR_E_UPSTREAM_INVALID;
}

START_TEST(a_refused_event_stops_the_feeding)
{
    struct sse s = {0};
    int calls = 0;

    ck_assert_int_eq(sse_feed(&s, "data: 1\n\ndata: 2\n\n", 18, refuse, &calls), WEIR_E_UPSTREAM_INVALID);
    ck_assert_int_eq(calls, 1);
    sse_done(&s);
}
END_TEST

UNIT_MAIN("sse", every_cut_in_two_gives_the_same_events, pieces_of_every_size_give_the_same_events,
          a_whole_data_line_counts_at_the_end_and_half_a_line_does_not, a_line_without_end_is_refused_at_one_mebibyte,
          an_event_of_many_lines_is_refused_at_one_mebibyte, a_refused_event_stops_the_feeding)
