/* form.h - multipart/form-data (RFC 7578) as it arrives, piece by piece: what a
 * part holds goes to the caller at once and is never kept here. Pure. */
#ifndef WEIR_FORM_H
#define WEIR_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/sb.h"

enum { FORM_BOUNDARY_MAX = 70 };         /* RFC 2046 */
enum { FORM_AROUND_MAX = 64 * 1024 };    /* what a form with one file may have beside it */

/* What a part begins with, what it holds in any number of pieces. Another result than OK ends the reading with it. */
struct form_reader {
    enum weir_err (*begin)(void *ctx, const char *name, const char *filename);   /* filename NULL: a field, no file */
    enum weir_err (*data)(void *ctx, const char *p, size_t n);
    void *ctx;
};

struct form {
    const struct form_reader *reader;
    char delimiter[FORM_BOUNDARY_MAX + 8];
    size_t delimiter_len;
    int state;
    bool inside;                         /* of a part */
    struct sb rest;                      /* what could be the beginning of something */
};

/* False: this Content-Type is another, or names no boundary. Then form_feed() with each piece, and form_done(). */
bool form_begin(struct form *f, const char *content_type, const struct form_reader *r) __attribute__((warn_unused_result));
/* E_INVALID_FIELD: it is no such form; what the reader's functions say; E_OVERLOADED. */
enum weir_err form_feed(struct form *f, const char *p, size_t n) __attribute__((warn_unused_result));
/* Did it end with its last boundary? */
bool form_ended(const struct form *f);
void form_done(struct form *f);

#endif
