/* csv.h - the cells of a CSV text, RFC 4180, with any separator. Thread-safe. */
#ifndef WEIR_CSV_H
#define WEIR_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"

/* Where the reading is. The text is borrowed. */
struct csv {
    const char *at, *end;
    char separator;
    int64_t line;                        /* of `at`, from 1 */
    bool row_over;                       /* the cell was the last of its row; the next begins another if at < end */
};

/* A byte order mark at the beginning, which spreadsheets write, is no part of the first cell. */
struct csv csv_make(const char *text, size_t n, char separator);
/* The next cell into `cell`, which is emptied first: without its quotation marks, in which separators and ends of lines are text,
 * and "" is one mark. False: the marks are not closed, or `cell` is too small for it (sb_ok() tells which). */
bool csv_cell(struct csv *c, struct sb *cell);

#endif
