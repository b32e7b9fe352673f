/* spill_line.h - one settlement as one line of JSON: everything usage_settle()
 * takes, and a checksum as its last member. */
#ifndef WEIR_SPILL_LINE_H
#define WEIR_SPILL_LINE_H

#include <jansson.h>

#include "base/sb.h"
#include "store/usage.h"

/* Append the line without its newline. Without `text` the answer is left out: for the log, from where it can be put into
 * the spill file by hand. Text is written as it would be in the database: not at all where none is kept, sealed where
 * there is a key. Writer only. */
void spill_line_put(struct sb *out, const struct call_record *r, bool text);

/* A line read back; the record's strings are the JSON's. */
struct spill_line {
    json_t *json;
    struct call_record rec;
    char *opened[2];          /* answer and reasoning where they were sealed */
};
/* False if it is cut short, damaged or of another kind; `l` then needs no done. */
bool spill_line_read(const char *line, size_t n, struct spill_line *l) __attribute__((warn_unused_result));
void spill_line_done(struct spill_line *l);

#endif
