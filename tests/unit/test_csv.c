/* test_csv.c - cells of CSV. */
#include "base/csv.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

/* The cells of a text with | between them and the line each row ends in, "/2:"; ! for one that csv_cell() refused. */
static const char *cells(const char *text, char separator, size_t most)
{
    static char all[256];
    struct csv c = csv_make(text, strlen(text), separator);
    struct sb cell = sb_make(most), out = sb_make(sizeof all);

    while (c.at < c.end) {
        sb_putf(&out, "/%d:", (int)c.line);
        do {
            bool ok = csv_cell(&c, &cell);

            sb_putf(&out, "%s%s|", ok ? "" : "!", sb_str(&cell));
        } while (!c.row_over);
    }
    (void)snprintf(all, sizeof all, "%s", sb_str(&out));
    sb_done(&cell);
    sb_done(&out);
    return all;
}

START_TEST(rows_and_cells_are_told_apart)
{
    ck_assert_str_eq(cells("a,b\n1,2\n", ',', 64), "/1:a|b|/2:1|2|");
    ck_assert_str_eq(cells("a;b\r\n1;2", ';', 64), "/1:a|b|/2:1|2|");
    ck_assert_str_eq(cells("a,,c\n\n,\n", ',', 64), "/1:a||c|/2:|/3:||");
    ck_assert_str_eq(cells("", ',', 64), "");
}
END_TEST

START_TEST(in_quotes_everything_is_text)
{
    ck_assert_str_eq(cells("\"a,b\",\"say \"\"hi\"\"\"\nx\n", ',', 64), "/1:a,b|say \"hi\"|/2:x|");
    ck_assert_str_eq(cells("\"two\r\nlines\",b\nx", ',', 64), "/1:two\r\nlines|b|/3:x|");
    ck_assert_str_eq(cells("say \"hi\", you", ',', 64), "/1:say \"hi\"| you|");
}
END_TEST

START_TEST(a_byte_order_mark_is_no_text)
{
    ck_assert_str_eq(cells("\xEF\xBB\xBF" "a,b", ',', 64), "/1:a|b|");
}
END_TEST

START_TEST(what_is_not_closed_or_too_large_is_refused)
{
    struct csv c = csv_make("\"open", 5, ',');
    struct sb cell = sb_make(64), small = sb_make(4);

    ck_assert(!csv_cell(&c, &cell));
    ck_assert(sb_ok(&cell) && c.row_over);
    c = csv_make("much too long,b", 15, ',');
    ck_assert(!csv_cell(&c, &small));
    ck_assert(!sb_ok(&small) && !c.row_over);
    ck_assert(csv_cell(&c, &small));                     /* the next one is none the worse */
    ck_assert_str_eq(sb_str(&small), "b");
    sb_done(&cell);
    sb_done(&small);
}
END_TEST

UNIT_MAIN("csv", rows_and_cells_are_told_apart, in_quotes_everything_is_text, a_byte_order_mark_is_no_text,
          what_is_not_closed_or_too_large_is_refused)
