/* report_export.h - every event of a selection, oldest first, as a table for
 * other programs: CSV, JSON or one JSON object a line, all with the same columns.
 *
 * Made in pieces, each from a short read of its own that goes on by key, so that
 * a reader however slow holds nothing in the database and memory does not grow
 * with the number of rows. A cell of a CSV that a spreadsheet would take for a
 * formula begins with an apostrophe and is quoted. */
#ifndef WEIR_REPORT_EXPORT_H
#define WEIR_REPORT_EXPORT_H

#include "base/rand.h"
#include "store/report.h"
#include "store/report_scan.h"

enum export_format { EXPORT_CSV, EXPORT_JSON, EXPORT_NDJSON };
const char *export_format_name(enum export_format f);            /* "csv" … */
bool export_format_parse(const char *s, enum export_format *out);

/* Names that were looked up: the newest of each place. */
enum { EXPORT_NAMES = 512, EXPORT_NAME_SIZE = 192 };
struct export_name {
    int64_t id;                  /* 0: free */
    char text[EXPORT_NAME_SIZE];
};

/* One export under way; 300 KB, so never on a stack. */
struct report_export {
    enum export_format format;
    const struct report_filter *f;                               /* borrowed */
    bool totals;                                                 /* set after begin: CSV and NDJSON end with a row of totals */
    struct report_keys keys;
    int64_t after, until;                                        /* keys of events: what is still to come lies between */
    bool begun, ended;
    struct report_sums sums;                                     /* of the rows so far */
    char request_id[RAND_ID_SIZE];                               /* of the row under way */
    struct export_name words[EXPORT_NAMES], users[EXPORT_NAMES], tokens[EXPORT_NAMES];
};

/* Events up to f->now_ms. E_STORAGE: nothing can be read. */
enum weir_err report_export_begin(struct report_export *x, struct db *ro, const struct report_filter *f,
                                  enum export_format format) __attribute__((warn_unused_result));
/* Append the next piece to `out`, at most a few hundred KB: head, rows, or the end. False: that was all. *e is not OK where
 * it broke off. */
bool report_export_next(struct report_export *x, struct db *ro, struct sb *out, enum weir_err *e)
    __attribute__((warn_unused_result));

/* The columns in their order, what each is; a NULL at the end. */
struct export_column {
    const char *name, *text;
};
extern const struct export_column export_columns[];
/* `weir config columns`: docs/export.md, made from that table. */
void report_export_doc(struct sb *out);

#endif
