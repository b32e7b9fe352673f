/* bill_csv.c - comma, semicolon or tab; cells in quotes may have all of them, and ends of lines. */
#include "store/bill_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS_MAX = 200, CELL_MAX = 4096 };

struct csv {
    const char *at, *end;
    char separator;
    int64_t line;                        /* of `at` */
    bool row_over;                       /* the cell was the last of its row */
};

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

/* The next cell, without blanks around it; false: it does not fit. */
static bool next_cell(struct csv *c, char *cell, size_t size)
{
    bool quoted = false, fits = true;
    size_t n = 0;

    while (c->at < c->end && *c->at == ' ')
        c->at++;
    for (;; c->at++) {
        char x = c->at < c->end ? *c->at : '\n';

        if (c->at < c->end && x == '"' && quoted && c->at + 1 < c->end && c->at[1] == '"')
            c->at++;
        else if (c->at < c->end && x == '"') {
            quoted = !quoted;
            continue;
        } else if (!quoted && (x == c->separator || x == '\n'))
            break;
        if (c->at >= c->end)
            break;                       /* the quote was never closed */
        c->line += x == '\n';
        if (n + 1 < size)
            cell[n++] = x;
        else
            fits = false;
    }
    c->row_over = c->at >= c->end || *c->at == '\n';
    c->line += c->at < c->end && *c->at == '\n';
    if (c->at < c->end)
        c->at++;
    while (n && (cell[n - 1] == ' ' || cell[n - 1] == '\r' || cell[n - 1] == '\n'))
        n--;
    cell[n] = '\0';
    return fits && !(quoted && c->at >= c->end);
}

struct header {
    enum bill_member column[COLUMNS_MAX];
    char name[COLUMNS_MAX][32];
    size_t n;
};

static bool read_header(struct bill_reader *r, struct csv *c, struct header *h)
{
    bool day = false, figure = false;
    char cell[CELL_MAX];

    (void)snprintf(r->where, sizeof r->where, "line 1");
    do {
        if (h->n == COLUMNS_MAX || !next_cell(c, cell, sizeof cell)) {
            bill_fault(r, "this is no header of at most %d columns.", COLUMNS_MAX);
            return false;
        }
        h->column[h->n] = bill_member(cell, strlen(cell), &r->bill->provider);
        (void)snprintf(h->name[h->n], sizeof h->name[0], "%.31s", cell);
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

void bill_read_csv(struct bill_reader *r, const char *text, size_t n)
{
    struct csv c = {.at = text, .end = text + n, .separator = separator_of(text, n), .line = 1};
    struct header h = {.n = 0};
    char cell[CELL_MAX];

    if (!read_header(r, &c, &h))
        return;
    while (c.at < c.end) {
        int64_t before = r->faults;
        bool blank = true;
        size_t i = 0;

        (void)snprintf(r->where, sizeof r->where, "line %" PRId64, c.line);
        bill_begin(r);
        do {
            if (!next_cell(&c, cell, sizeof cell))
                bill_fault(r, "a cell is longer than %d bytes, or its quote is not closed.", CELL_MAX - 1);
            else if (i < h.n)
                bill_take(r, h.column[i], h.name[i], cell);
            blank = blank && !*cell;
            i++;
        } while (!c.row_over);
        if (blank)
            continue;
        if (i != h.n)
            bill_fault(r, "it has %zu columns, the header %zu.", i, h.n);
        if (r->faults == before)
            bill_end(r);
    }
}
