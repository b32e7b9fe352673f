/* scan.h - a pull scanner over complete JSON text: one pass, no memory, strict.
 *
 * For what providers send many thousand times a second, where building a tree
 * would cost more than everything else. The caller walks down by asking; each
 * value is either entered, taken or skipped. Any breach of the grammar, invalid
 * UTF-8 or nesting beyond 64 levels sets `bad`, after which everything reads as
 * ended; ask scan_ok() once at the end. The text is borrowed. */
#ifndef WEIR_SCAN_H
#define WEIR_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan {
    const char *p, *end;
    int depth;             /* containers entered and not yet left */
    bool first;            /* the next member or element is its container's first */
    bool bad;
};

/* Part of the text: a string's content without its quotes, escapes as they stand. */
struct span {
    const char *p;         /* NULL: nothing */
    size_t n;
};

struct scan scan_make(const char *text, size_t n);
/* True if the one value was read whole, nothing but white space follows and no rule was broken. */
bool scan_ok(struct scan *s);

/* If the next value is an object (array), step inside: true. Otherwise it is skipped: false. */
bool scan_object(struct scan *s);
bool scan_array(struct scan *s);
/* The next member's name, standing before its value; false when the object is left. */
bool scan_member(struct scan *s, struct span *name);
/* Stand before the next element; false when the array is left. */
bool scan_element(struct scan *s);

/* The next value if it is a string; otherwise it is skipped: false. */
bool scan_string(struct scan *s, struct span *out);
/* The next value if it is an integer that fits (1.0 and 1e3 are none); otherwise it is skipped: false. */
bool scan_int(struct scan *s, int64_t *out);
/* The next value if it is a number from 0 to a million, taken as dollars: in picodollars, halves rounded up. Exact: no float
 * in between. Otherwise it is skipped: false. */
bool scan_dollars(struct scan *s, int64_t *pico);
/* The first character of the next value: { [ " t f n - or a digit; 0 at the end. Nothing is consumed. */
char scan_peek(struct scan *s);
void scan_skip(struct scan *s);

bool span_is(struct span s, const char *text);
/* Undo the escapes of a string's content: UTF-8 into `out`, which may be s.p itself (never longer than before).
 * A lone surrogate becomes U+FFFD, and so does NUL: no C string ends early. Returns the bytes written; no NUL is added. */
size_t span_decode(struct span s, char *out);
/* The same into a buffer of `size` bytes with a NUL, cut at a character's edge. */
void span_copy(struct span s, char *out, size_t size);

#endif
