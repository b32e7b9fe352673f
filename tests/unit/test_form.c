/* test_form.c - a multipart form says the same however it is cut into pieces. */
#include "web/form.h"

#include <string.h>

#include "unit.h"

/* What a reader was told, as "name=text;" and "name(file)=text;". */
static struct sb told;

static enum weir_err on_begin(void *ctx, const char *name, const char *filename)
{
    (void)ctx;
    sb_puts(&told, told.len ? ";" : "");
    sb_puts(&told, name);
    if (filename)
        sb_putf(&told, "(%s)", filename);
    sb_putc(&told, '=');
    return strcmp(name, "no") == 0 ? WEIR_E_OUT_OF_RANGE : WEIR_OK;
}

static enum weir_err on_data(void *ctx, const char *p, size_t n)
{
    (void)ctx;
    sb_put(&told, p, n);
    return WEIR_OK;
}

static const struct form_reader reader = {on_begin, on_data, NULL};

/* Fed in pieces of `piece` bytes. *ended: it came to its last boundary. */
static enum weir_err feed(const char *type, const char *text, size_t piece, bool *ended)
{
    struct form f;
    size_t n = strlen(text);
    enum weir_err e = WEIR_OK;

    sb_done(&told);
    told = sb_make(1 << 20);
    ck_assert(form_begin(&f, type, &reader));
    for (size_t at = 0; !e && at < n; at += piece)
        e = form_feed(&f, text + at, n - at < piece ? n - at : piece);
    *ended = form_ended(&f);
    form_done(&f);
    return e;
}

#define PART(head, text) "--b0\r\nContent-Disposition: form-data; " head "\r\n\r\n" text "\r\n"

START_TEST(a_form_says_the_same_in_pieces_of_any_size)
{
    static const char text[] = "a preamble\r\n" PART("name=\"purpose\"", "batch")
        PART("name=\"file\"; filename=\"a \\\"b\\\".jsonl\"\r\nContent-Type: text/plain", "one\r\n--b\r\n--b1\r\ntwo\r\n") "--b0--\r\nan epilogue";

    for (size_t piece = 1; piece <= sizeof text; piece++) {
        bool ended;

        ck_assert_int_eq(feed("multipart/form-data; boundary=\"b0\"", text, piece, &ended), WEIR_OK);
        ck_assert(ended);
        ck_assert_str_eq(sb_str(&told), "purpose=batch;file(a \"b\".jsonl)=one\r\n--b\r\n--b1\r\ntwo\r\n");
    }
}
END_TEST

START_TEST(a_part_may_be_empty_and_a_boundary_may_be_followed_by_blanks)
{
    bool ended;

    ck_assert_int_eq(feed("multipart/form-data; boundary=b0", "--b0 \t\r\ncontent-disposition: form-data; name=x\r\n\r\n\r\n--b0--", 7, &ended), WEIR_OK);
    ck_assert(ended);
    ck_assert_str_eq(sb_str(&told), "x=");
}
END_TEST

START_TEST(what_is_no_form_is_refused_and_what_breaks_off_has_not_ended)
{
    struct form f;
    bool ended;

    ck_assert(!form_begin(&f, "application/json", &reader));
    ck_assert(!form_begin(&f, "multipart/form-data", &reader));
    ck_assert(!form_begin(&f, "multipart/form-data; boundary=", &reader));
    ck_assert(!form_begin(&f, "multipart/form-data; boundary=\"open", &reader));
    ck_assert(!form_begin(&f, NULL, &reader));
    ck_assert_int_eq(feed("multipart/form-data; boundary=b0", "--b0\r\nContent-Type: x\r\n\r\ntext\r\n--b0--", 64, &ended), WEIR_E_INVALID_FIELD);
    ck_assert_int_eq(feed("multipart/form-data; boundary=b0", "--b0xx", 64, &ended), WEIR_E_INVALID_FIELD);
    ck_assert_int_eq(feed("multipart/form-data; boundary=b0", PART("name=a", "text") "--b0", 64, &ended), WEIR_OK);
    ck_assert(!ended);
}
END_TEST

START_TEST(a_reader_that_refuses_ends_it)
{
    bool ended;

    ck_assert_int_eq(feed("multipart/form-data; boundary=b0", PART("name=no", "text") "--b0--", 64, &ended), WEIR_E_OUT_OF_RANGE);
    ck_assert_str_eq(sb_str(&told), "no=");
}
END_TEST

UNIT_MAIN("form", a_form_says_the_same_in_pieces_of_any_size, a_part_may_be_empty_and_a_boundary_may_be_followed_by_blanks,
          what_is_no_form_is_refused_and_what_breaks_off_has_not_ended, a_reader_that_refuses_ends_it)
