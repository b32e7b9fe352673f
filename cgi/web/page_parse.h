/* page_parse.h - a Mustache template as a row of operations, ready to render.
 *
 * The grammar only: tags, delimiters, sections that close, lines that hold
 * nothing but a tag. What names mean is page.c's. Pure: bytes in, operations
 * or a sentence out. The result never changes, so any thread may read it. */
#ifndef WEIR_PAGE_PARSE_H
#define WEIR_PAGE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum page_op_kind {
    PAGE_TEXT,       /* bytes as they are */
    PAGE_VALUE,      /* {{name}} */
    PAGE_RAW,        /* {{{name}}} and {{&name}} */
    PAGE_SECTION,    /* {{#name}} */
    PAGE_INVERTED,   /* {{^name}} */
    PAGE_PARTIAL     /* {{>name}} */
};

struct page_op {
    enum page_op_kind kind;
    bool line_start;       /* nothing stands before it on its line */
    bool whole_line;       /* a partial alone on its line: its lines are indented like the tag */
    uint32_t at, len;      /* bytes of the text; or of the name, ended by a NUL */
    uint32_t parts;        /* a.b.c is three names, each ended by a NUL; "." is none */
    uint32_t end;          /* sections: the first operation after what they hold */
    uint32_t indent_at, indent_len;
};

struct page_code {
    char *text;            /* the template, its names cut out by NULs */
    struct page_op *op;
    uint32_t n;
};

enum { PAGE_TEXT_MAX = 1 << 20, PAGE_NEST_MAX = 32, PAGE_WHY = 160 };

/* Parse `n` bytes at `text` (borrowed). OK: *out is the caller's, for
 * page_code_done(). E_INVALID_FIELD: `why` is a sentence beginning with the line,
 * and *out is empty. */
enum weir_err page_parse(const char *text, size_t n, struct page_code *out, char why[PAGE_WHY])
    __attribute__((warn_unused_result));
void page_code_done(struct page_code *c);

#endif
