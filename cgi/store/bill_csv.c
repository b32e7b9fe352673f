/* bill_csv.c - a CSV file with commas, semicolons or tabs as a bill. */
#include "store/bill_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/csv.h"

enum { COLUMNS_MAX = 200, CELL_MAX = 4096 };

/* The one that the first line has most of. */
static char separator_of(const char *text, size_t n)
{
    static const char all[] = ",;\t";
    size_t count[3] = {0}, best = 0;

    for (size_t i = 0; i < n && text[i] != '\n'; i++)
        for (size_t k = 0; k < 3; k++)
            count[k] += text[i] == all[k];
    for (size_t k = 1; k < 3; k++)
        if (count[k] > count[best])
            best = k;
    return all[best];
}

/* The next cell, without blanks around it; false: it does not fit, or its quote is not closed. */
static bool next_cell(struct csv *c, struct sb *cell)
{
    bool ok;

    while (c->at < c->end && *c->at == ' ')
        c->at++;
    ok = csv_cell(c, cell);
    while (cell->len && strchr(" \r\n", sb_str(cell)[cell->len - 1]))
        sb_drop(cell, 1);
    return ok;
}

struct header {
    enum bill_member column[COLUMNS_MAX];
    char name[COLUMNS_MAX][32];
    size_t n;
};

static bool read_header(struct bill_reader *r, struct csv *c, struct sb *cell, struct header *h)
{
    bool day = false, figure = false;

    (void)snprintf(r->where, sizeof r->where, "line 1");
    do {
        if (h->n == COLUMNS_MAX || !next_cell(c, cell)) {
            bill_fault(r, "this is no header of at most %d columns.", COLUMNS_MAX);
            return false;
        }
        h->column[h->n] = bill_member(sb_str(cell), cell->len, &r->bill->provider);
        (void)snprintf(h->name[h->n], sizeof h->name[0], "%.31s", sb_str(cell));
        day = day || h->column[h->n] == MEMBER_DAY;
        figure = figure || h->column[h->n] >= MEMBER_REQUESTS;
        h->n++;
    } while (!c->row_over);
    if (!day)
        bill_fault(r, "no column is the day (day, date, start_time, …), so this is no usage export.");
    /* OpenAI exports a time without traffic with its times alone. */
    else if (!figure && r->bill->provider != BILL_OPENAI)
        bill_fault(r, "no column has tokens or a cost (input_tokens, output_tokens, cost, …).");
    else
        return true;
    return false;
}

static void read_row(struct bill_reader *r, struct csv *c, struct sb *cell, const struct header *h)
{
    int64_t before = r->faults;
    bool blank = true;
    size_t i = 0;

    (void)snprintf(r->where, sizeof r->where, "line %" PRId64, c->line);
    bill_begin(r);
    do {
        if (!next_cell(c, cell))
            bill_fault(r, "a cell is longer than %d bytes, or its quote is not closed.", CELL_MAX);
        else if (i < h->n)
            bill_take(r, h->column[i], h->name[i], sb_str(cell));
        blank = blank && !cell->len;
        i++;
    } while (!c->row_over);
    if (blank)
        return;
    if (i != h->n)
        bill_fault(r, "it has %zu columns, the header %zu.", i, h->n);
    if (r->faults == before)
        bill_end(r);
}

void bill_read_csv(struct bill_reader *r, const char *text, size_t n)
{
    struct csv c = csv_make(text, n, separator_of(text, n));
    struct sb cell = sb_make(CELL_MAX);
    struct header h = {.n = 0};

    if (read_header(r, &c, &cell, &h))
        while (c.at < c.end)
            read_row(r, &c, &cell, &h);
    sb_done(&cell);
}
