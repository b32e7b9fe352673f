/* eliza_script.h - the script as tables: what ELIZA can say, and to what.
 *
 * A row is one pattern with the replies it takes in turn. A row with key words
 * begins a key; rows without belong to the key above and are tried in order.
 * In a pattern `*` is any number of words, `_` exactly one, `a/b` one of these,
 * `@name` one of a class. In a reply `$3` is what the third part of the pattern
 * took, with "my" and "your" exchanged; `=word` says: go on as for that key;
 * `+` says: try the next key. Keys in round brackets are situations. */
#ifndef WEIR_ELIZA_SCRIPT_H
#define WEIR_ELIZA_SCRIPT_H

#include <stddef.h>

enum { ELIZA_REPLIES = 6 };

struct eliza_row {
    const char *keys;        /* words separated by blanks, or NULL */
    int rank;                /* the higher is taken up first */
    const char *pattern;
    const char *reply[ELIZA_REPLIES];
};
extern const struct eliza_row eliza_rows[];
extern const size_t eliza_row_count;

/* One word, and what stands for it (for classes: their members, blank-separated). */
struct eliza_pair {
    const char *from, *to;
};
extern const struct eliza_pair eliza_before[], eliza_after[], eliza_classes[];
extern const size_t eliza_before_count, eliza_after_count, eliza_class_count;

#endif
