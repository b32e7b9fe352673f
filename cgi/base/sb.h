/* sb.h - a string builder with a hard maximum and a memory of its first failure.
 *
 * Append freely, ask sb_ok() once at the end. One append per destination:
 * sb_html for element text, sb_attr for attribute values, sb_json for a quoted
 * JSON string, sb_url for a query value; the escape is chosen where the text is
 * written. Not thread-safe; one owner at a time. */
#ifndef WEIR_SB_H
#define WEIR_SB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb {
    char *p;      /* always NUL-terminated once anything was appended; NULL before */
    size_t len;   /* bytes, without the NUL */
    size_t cap;
    size_t max;   /* most bytes ever held */
    bool failed;  /* an append did not fit or memory ran out; later appends do nothing */
    bool starved; /* it was memory */
};

/* An empty builder that will hold at most `max_bytes`. Allocates nothing yet. */
struct sb sb_make(size_t max_bytes);
/* Free the memory; the builder is empty and usable again with the same maximum. */
void sb_done(struct sb *b);
/* Forget the content and a failure, keep the memory. */
void sb_reset(struct sb *b);
/* Take back the last n bytes, or as many as there are. */
void sb_drop(struct sb *b, size_t n);
/* True if every append so far fitted. */
bool sb_ok(const struct sb *b) __attribute__((warn_unused_result));
/* Give the text away (caller frees) and leave the builder empty. Never NULL if sb_ok(). */
char *sb_take(struct sb *b) __attribute__((warn_unused_result));
/* The text so far; "" when empty. Borrowed until the next append. */
const char *sb_str(const struct sb *b);

void sb_putc(struct sb *b, char c);
void sb_puts(struct sb *b, const char *s);                  /* NULL appends nothing */
void sb_put(struct sb *b, const void *p, size_t n);
void sb_putf(struct sb *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sb_vputf(struct sb *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void sb_i64(struct sb *b, int64_t n);
void sb_real(struct sb *b, double x);                       /* the shorter of 15 and 17 digits that reads back as the same */

void sb_html(struct sb *b, const char *s, size_t n);        /* & < > " ' become references */
void sb_attr(struct sb *b, const char *s);                  /* the same, for inside quotes */
void sb_json(struct sb *b, const char *s);                  /* "quoted"; NULL becomes null */
void sb_json_n(struct sb *b, const char *s, size_t n);      /* invalid UTF-8 becomes U+FFFD; < > & U+2028 U+2029 are \u escapes */
void sb_url(struct sb *b, const char *s);                   /* %XX except unreserved (RFC 3986) */

/* Picodollars as a JSON number of dollars, exact, without trailing zeros: 22200000 -> 0.0000222. */
void sb_usd(struct sb *b, int64_t pico);
/* UTC milliseconds since 1970 as 2026-11-22T06:20:00.123Z (no quotes). */
void sb_time(struct sb *b, int64_t utc_ms);

#endif
