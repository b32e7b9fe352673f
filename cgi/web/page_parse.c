/* page_parse.c - one pass over the template. A tag's name is ended with a NUL in
 * our own copy of the text (its closing delimiter has been read by then), so
 * names need no memory of their own. */
#include "web/page_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { DELIM_MAX = 8 };

struct delim {
    char s[DELIM_MAX + 1];
    size_t n;
};

struct parser {
    struct page_code *code;
    const char *src;                 /* the text as it came, for line numbers */
    uint32_t cap;                    /* of code->op */
    size_t n;                        /* bytes of code->text */
    struct delim left, right;
    uint32_t open[PAGE_NEST_MAX];    /* sections not yet closed */
    int depth;
    char *why;
};

/* A tag in the text: where it stands and what is in it. */
struct tag {
    size_t from, to;                 /* delimiters included */
    char sigil;                      /* # ^ / > & { ! = or 0 */
    size_t name, name_end;           /* trimmed */
    bool whole_line;
    size_t line, line_end;           /* if so: its line, line break included */
};

__attribute__((format(printf, 3, 4)))
static enum weir_err fail(struct parser *p, size_t at, const char *fmt, ...)
{
    char what[PAGE_WHY - 24];
    unsigned line = 1;
    va_list ap;

    for (size_t i = 0; i < at; i++)
        line += p->src[i] == '\n';
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    (void)snprintf(p->why, PAGE_WHY, "line %u: %s", line, what);
    return WEIR_E_INVALID_FIELD;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
    return is_blank(c) || c == '\r' || c == '\n';
}

/* True if the byte at `at` begins a line. */
static bool begins_line(const struct parser *p, size_t at)
{
    return at == 0 || p->code->text[at - 1] == '\n';
}

static struct page_op *emit(struct parser *p, enum page_op_kind kind, size_t at, size_t len)
{
    struct page_code *c = p->code;

    if (c->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 32;
        c->op = mem_grow(c->op, p->cap, sizeof *c->op);
    }
    c->op[c->n] = (struct page_op){.kind = kind, .at = (uint32_t)at, .len = (uint32_t)len};
    return &c->op[c->n++];
}

static void emit_text(struct parser *p, size_t from, size_t to)
{
    if (from < to)
        emit(p, PAGE_TEXT, from, to - from)->line_start = begins_line(p, from);
}

static size_t find(const struct parser *p, size_t from, const char *what, size_t n)
{
    const char *text = p->code->text;
    const char *hit = memmem(text + from, p->n - from, what, n);

    return hit ? (size_t)(hit - text) : SIZE_MAX;
}

/* Is the tag alone on its line? Then the whole line vanishes with it. */
static void tag_find_line(const struct parser *p, struct tag *t)
{
    const char *s = p->code->text;
    size_t a = t->from, b = t->to;

    while (a > 0 && is_blank(s[a - 1]))
        a--;
    while (b < p->n && is_blank(s[b]))
        b++;
    if (b + 1 < p->n && s[b] == '\r' && s[b + 1] == '\n')
        b++;
    t->whole_line = begins_line(p, a) && (b == p->n || s[b] == '\n');
    t->line = a;
    t->line_end = b < p->n ? b + 1 : b;
}

/* Read the tag whose left delimiter stands at `from`. */
static enum weir_err tag_read(struct parser *p, size_t from, struct tag *t)
{
    const char *s = p->code->text;
    size_t at = from + p->left.n, end;
    char closing[DELIM_MAX + 2] = "";
    char sigil = at < p->n && s[at] ? s[at] : ' ';

    *t = (struct tag){.from = from};
    if (strchr("#^/>&{!=", sigil)) {
        t->sigil = sigil;
        at++;
    }
    if (sigil == '{' || sigil == '=')
        closing[0] = sigil == '{' ? '}' : '=';
    memcpy(closing + strlen(closing), p->right.s, p->right.n + 1);
    end = find(p, at, closing, strlen(closing));
    if (end == SIZE_MAX)
        return fail(p, from, "the tag is not closed with %s", closing);
    t->to = end + strlen(closing);
    while (at < end && is_space(s[at]))
        at++;
    while (end > at && is_space(s[end - 1]))
        end--;
    t->name = at;
    t->name_end = end;
    if (t->sigil && strchr("#^/>!=", t->sigil))
        tag_find_line(p, t);
    return WEIR_OK;
}

static bool delim_set(struct delim *d, const char *s, size_t n)
{
    if (!n || n > DELIM_MAX || memchr(s, '=', n))
        return false;
    memcpy(d->s, s, n);
    d->s[n] = '\0';
    d->n = n;
    return true;
}

/* {{=<% %>=}} */
static enum weir_err set_delimiters(struct parser *p, const struct tag *t)
{
    const char *s = p->code->text + t->name, *end = p->code->text + t->name_end;
    const char *gap = s, *right = end;

    while (gap < end && !is_space(*gap))
        gap++;
    while (right > gap && !is_space(right[-1]))
        right--;
    for (const char *c = gap; c < right; c++)
        if (!is_space(*c))
            return fail(p, t->from, "two delimiters are wanted");
    if (!delim_set(&p->left, s, (size_t)(gap - s)) || !delim_set(&p->right, right, (size_t)(end - right)))
        return fail(p, t->from, "two delimiters of 1 to %d characters are wanted", DELIM_MAX);
    return WEIR_OK;
}

/* Check a name and end it, and each part of a dotted one, with a NUL. */
static enum weir_err name_cut(struct parser *p, const struct tag *t, struct page_op *op)
{
    char *s = p->code->text + t->name;
    size_t n = t->name_end - t->name;
    bool dotted = op->kind != PAGE_PARTIAL && !(n == 1 && *s == '.');

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= ' ')
            return fail(p, t->from, "a name has no spaces in it");
    if (!n || (dotted && (s[0] == '.' || s[n - 1] == '.' || memmem(s, n, "..", 2))))
        return fail(p, t->from, "the tag has no name");
    op->parts = dotted ? 1 : 0;
    for (size_t i = 0; dotted && i < n; i++)
        if (s[i] == '.') {
            s[i] = '\0';
            op->parts++;
        }
    s[n] = '\0';
    return WEIR_OK;
}

static enum weir_err section_close(struct parser *p, const struct tag *t)
{
    struct page_op name = {.kind = PAGE_SECTION, .len = (uint32_t)(t->name_end - t->name)};
    struct page_op *section;
    enum weir_err e = name_cut(p, t, &name);

    if (e)
        return e;
    if (!p->depth)
        return fail(p, t->from, "closes a section that is not open");
    section = &p->code->op[p->open[--p->depth]];
    if (section->len != name.len || memcmp(p->code->text + section->at, p->code->text + t->name, name.len) != 0)
        return fail(p, t->from, "closes another section than the one open (%.40s)", p->code->text + section->at);
    section->end = p->code->n;
    return WEIR_OK;
}

static enum weir_err tag_emit(struct parser *p, const struct tag *t)
{
    enum page_op_kind kind = PAGE_VALUE;
    struct page_op *op;

    switch (t->sigil) {
    case '!': return WEIR_OK;
    case '=': return set_delimiters(p, t);
    case '/': return section_close(p, t);
    case '#': kind = PAGE_SECTION; break;
    case '^': kind = PAGE_INVERTED; break;
    case '>': kind = PAGE_PARTIAL; break;
    case '{':
    case '&': kind = PAGE_RAW; break;
    default: break;
    }
    if (kind == PAGE_SECTION || kind == PAGE_INVERTED) {
        if (p->depth == PAGE_NEST_MAX)
            return fail(p, t->from, "more than %d sections inside each other", PAGE_NEST_MAX);
        p->open[p->depth++] = p->code->n;
    }
    op = emit(p, kind, t->name, t->name_end - t->name);
    op->line_start = !t->whole_line && begins_line(p, t->from);
    if (kind == PAGE_PARTIAL && t->whole_line) {
        op->whole_line = true;
        op->indent_at = (uint32_t)t->line;
        op->indent_len = (uint32_t)(t->from - t->line);
    }
    return name_cut(p, t, op);
}

static enum weir_err parse(struct parser *p)
{
    size_t at = 0, from;
    struct tag t;

    while ((from = find(p, at, p->left.s, p->left.n)) != SIZE_MAX) {
        enum weir_err e = tag_read(p, from, &t);

        if (e)
            return e;
        emit_text(p, at, t.whole_line ? t.line : from);
        e = tag_emit(p, &t);
        if (e)
            return e;
        at = t.whole_line ? t.line_end : t.to;
    }
    emit_text(p, at, p->n);
    if (p->depth) {
        const struct page_op *section = &p->code->op[p->open[p->depth - 1]];

        return fail(p, section->at, "the section %.40s is not closed", p->code->text + section->at);
    }
    return WEIR_OK;
}

enum weir_err page_parse(const char *text, size_t n, struct page_code *out, char why[PAGE_WHY])
{
    struct parser p = {.code = out, .src = text, .n = n, .left = {"{{", 2}, .right = {"}}", 2}, .why = why};
    enum weir_err e;

    *out = (struct page_code){.text = NULL};
    if (n > PAGE_TEXT_MAX) {
        (void)snprintf(why, PAGE_WHY, "line 1: the template is larger than %d bytes", PAGE_TEXT_MAX);
        return WEIR_E_INVALID_FIELD;
    }
    out->text = mem_zalloc(n + 1, 1);
    memcpy(out->text, text, n);
    e = parse(&p);
    if (e)
        page_code_done(out);
    return e;
}

void page_code_done(struct page_code *c)
{
    free(c->text);
    free(c->op);
    *c = (struct page_code){.text = NULL};
}
