/* test_client.c - what nginx receives: records, in order, whole, whatever the socket takes at a time. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "peer/client.h"
#include "unit.h"

struct line {
    struct peer_client c;
    int nginx;                 /* the other end */
    unsigned char *got;        /* bytes read from it */
    size_t len, cap;
};

static struct line line_make(void)
{
    struct line l = {.c = {.fcgi_id = 258}};
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    l.c.fd = fds[0];
    l.nginx = fds[1];
    return l;
}

static void line_done(struct line *l)
{
    client_close(&l->c);
    if (l->nginx >= 0)
        close(l->nginx);
    free(l->got);
}

/* Read what is there now; false at the end of the stream. */
static bool read_some(struct line *l)
{
    for (;;) {
        ssize_t n;

        if (l->cap - l->len < 65536) {
            l->cap = l->cap ? l->cap * 2 : 131072;
            l->got = mem_grow(l->got, l->cap, 1);
        }
        n = read(l->nginx, l->got + l->len, l->cap - l->len);
        if (n <= 0)
            return n != 0;
        l->len += (size_t)n;
    }
}

/* Take the records apart: the content of STDOUT into `text`; true if END_REQUEST closed them. */
static bool unpack(const struct line *l, char *text, size_t *n)
{
    bool closed = false, ended = false;

    *n = 0;
    for (size_t at = 0; at < l->len;) {
        const unsigned char *h = l->got + at;
        size_t part = (size_t)h[4] << 8 | h[5];

        ck_assert(!ended);
        ck_assert_uint_le(at + 8 + part + h[6], l->len);
        ck_assert_int_eq(h[0], 1);
        ck_assert_int_eq(h[2] << 8 | h[3], 258);
        if (h[1] == 6 && part > 0) {
            ck_assert(!closed);
            memcpy(text + *n, h + 8, part);
            *n += part;
        } else if (h[1] == 6) {
            closed = true;
        } else {
            ck_assert_int_eq(h[1], 3);
            ck_assert_uint_eq(part, 8);
            for (int i = 0; i < 5; i++)
                ck_assert_int_eq(h[8 + i], 0);
            ck_assert(closed);
            ended = true;
        }
        at += 8 + part + h[6];
    }
    return ended;
}

START_TEST(what_is_written_arrives_as_one_record)
{
    struct line l = line_make();
    char text[64];
    size_t n;

    ck_assert_int_eq(client_write(&l.c, "hello", 5), 0);
    ck_assert(read_some(&l));
    ck_assert(!unpack(&l, text, &n));
    ck_assert_uint_eq(n, 5);
    ck_assert_mem_eq(text, "hello", 5);
    ck_assert_uint_eq(client_pending(&l.c), 0);
    line_done(&l);
}
END_TEST

START_TEST(the_last_write_ends_the_request_also_when_it_is_empty)
{
    for (int with_text = 0; with_text < 2; with_text++) {
        struct line l = line_make();
        char text[64];
        size_t n;

        ck_assert_int_eq(client_write_last(&l.c, "bye", with_text ? 3 : 0), 0);
        ck_assert(read_some(&l));
        ck_assert(unpack(&l, text, &n));
        ck_assert_uint_eq(n, with_text ? 3 : 0);
        line_done(&l);
    }
}
END_TEST

START_TEST(a_full_socket_delays_and_loses_nothing)
{
    enum { BYTES = 3 * 1000 * 1000, PIECE = 99991 };
    struct line l = line_make();
    char *sent = malloc(BYTES), *text = malloc(BYTES);
    size_t n, at = 0;
    int rc = 1;

    for (size_t i = 0; i < BYTES; i++)
        sent[i] = (char)(i * 31 + i / 251);
    for (; at + PIECE < BYTES; at += PIECE)
        ck_assert_int_eq(client_write(&l.c, sent + at, PIECE), 0);
    ck_assert_int_eq(client_write_last(&l.c, sent + at, BYTES - at), 0);
    ck_assert_uint_gt(client_pending(&l.c), 0);
    ck_assert_int_eq(client_flush(&l.c), 1);
    while (rc == 1) {
        read_some(&l);
        rc = client_flush(&l.c);
    }
    ck_assert_int_eq(rc, 0);
    read_some(&l);
    ck_assert_ptr_null(l.c.pending);
    ck_assert(unpack(&l, text, &n));
    ck_assert_uint_eq(n, BYTES);
    ck_assert_mem_eq(text, sent, BYTES);
    free(sent);
    free(text);
    line_done(&l);
}
END_TEST

START_TEST(a_client_that_left_is_an_answer_and_not_a_signal)
{
    struct line l = line_make();

    close(l.nginx);
    l.nginx = -1;
    ck_assert_int_eq(client_write(&l.c, "x", 1), -1);
    client_close(&l.c);
    ck_assert_int_eq(client_write(&l.c, "x", 1), -1);
    ck_assert_int_eq(client_flush(&l.c), -1);
    line_done(&l);
}
END_TEST

UNIT_MAIN("client", what_is_written_arrives_as_one_record, the_last_write_ends_the_request_also_when_it_is_empty,
          a_full_socket_delays_and_loses_nothing, a_client_that_left_is_an_answer_and_not_a_signal)
