/* page.c - the set of templates and the walk over their operations. Scopes live
 * on the C stack, bounded by PAGE_DEPTH_MAX; rendering allocates nothing but output. */
#include "web/page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct page {
    char *name;
    struct page_code code;
};

struct page_set {
    struct page *page;   /* sorted by name */
    size_t n;
};

/* Where names are looked for: the value on top, then what encloses it. */
struct frame {
    const json_t *value;
    const struct frame *up;
};

/* White space before each line of a partial, the outermost first. */
struct indent {
    const char *s;
    size_t n;
    const struct indent *up;
};

struct scope {
    const struct page_code *code;
    const struct frame *frame;
    const struct indent *indent;
    int depth;
};

struct render {
    const struct page_set *set;
    struct sb *out;
};

static enum weir_err render_ops(const struct render *r, const struct scope *sc, uint32_t from, uint32_t to);

/* Index of the first page whose name is not below `name`. */
static size_t page_slot(const struct page_set *s, const char *name)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (strcmp(s->page[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static const struct page *page_find(const struct page_set *s, const char *name)
{
    size_t i = page_slot(s, name);

    return i < s->n && !strcmp(s->page[i].name, name) ? &s->page[i] : NULL;
}

/* What a name means here; NULL if nothing. */
static const json_t *lookup(const struct scope *sc, const struct page_op *op)
{
    const char *name = sc->code->text + op->at;
    const json_t *v = NULL;

    if (!op->parts)
        return sc->frame->value;
    for (const struct frame *f = sc->frame; f && !v; f = f->up)
        v = json_object_get(f->value, name);
    for (uint32_t i = 1; i < op->parts && v; i++) {
        name += strlen(name) + 1;
        v = json_object_get(v, name);
    }
    return v;
}

static bool is_true(const json_t *v)
{
    if (!v)
        return false;
    switch (json_typeof(v)) {
    case JSON_FALSE:
    case JSON_NULL: return false;
    case JSON_ARRAY: return json_array_size(v) > 0;
    case JSON_STRING: return json_string_length(v) > 0;
    case JSON_TRUE:
    case JSON_OBJECT:
    case JSON_INTEGER:
    case JSON_REAL: return true;
    }
    return false;
}

static void put_indent(struct sb *out, const struct indent *in)
{
    if (!in)
        return;
    put_indent(out, in->up);
    sb_put(out, in->s, in->n);
}

static void put_text(const struct render *r, const struct scope *sc, const struct page_op *op)
{
    const char *s = sc->code->text + op->at, *end = s + op->len;

    while (sc->indent && s < end) {
        const char *nl = memchr(s, '\n', (size_t)(end - s));

        if (!nl || nl + 1 == end)
            break;
        sb_put(r->out, s, (size_t)(nl + 1 - s));
        put_indent(r->out, sc->indent);
        s = nl + 1;
    }
    sb_put(r->out, s, (size_t)(end - s));
}

static void put_value(struct sb *out, const json_t *v, bool raw)
{
    if (!v)
        return;
    switch (json_typeof(v)) {
    case JSON_STRING:
        if (raw)
            sb_put(out, json_string_value(v), json_string_length(v));
        else
            sb_html(out, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER: sb_i64(out, json_integer_value(v)); break;
    case JSON_REAL: sb_real(out, json_real_value(v)); break;
    case JSON_TRUE: sb_puts(out, "true"); break;
    case JSON_FALSE: sb_puts(out, "false"); break;
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
}

static enum weir_err render_section(const struct render *r, const struct scope *sc, const struct page_op *op)
{
    const json_t *v = lookup(sc, op);
    uint32_t from = (uint32_t)(op - sc->code->op) + 1;
    bool list = json_is_array(v);
    size_t n = list ? json_array_size(v) : 1;
    struct frame frame = {.up = sc->frame};
    struct scope in = *sc;
    enum weir_err e = WEIR_OK;

    if (is_true(v) != (op->kind == PAGE_SECTION))
        return WEIR_OK;
    in.depth++;
    if (op->kind == PAGE_INVERTED)
        return render_ops(r, &in, from, op->end);
    in.frame = &frame;
    for (size_t i = 0; i < n && !e; i++) {
        frame.value = list ? json_array_get(v, i) : v;
        e = render_ops(r, &in, from, op->end);
    }
    return e;
}

static enum weir_err render_partial(const struct render *r, const struct scope *sc, const struct page_op *op)
{
    const struct page *p = page_find(r->set, sc->code->text + op->at);
    struct indent own = {sc->code->text + op->indent_at, op->indent_len, sc->indent};
    struct scope in = *sc;

    if (!p)
        return WEIR_OK;
    in.code = &p->code;
    in.depth++;
    in.indent = !op->whole_line ? NULL : own.n ? &own : sc->indent;
    return render_ops(r, &in, 0, p->code.n);
}

static enum weir_err render_ops(const struct render *r, const struct scope *sc, uint32_t from, uint32_t to)
{
    enum weir_err e = WEIR_OK;

    if (sc->depth > PAGE_DEPTH_MAX)
        return WEIR_E_INTERNAL;
    for (uint32_t i = from; i < to && !e; i++) {
        const struct page_op *op = &sc->code->op[i];

        if (op->line_start)
            put_indent(r->out, sc->indent);
        switch (op->kind) {
        case PAGE_TEXT: put_text(r, sc, op); break;
        case PAGE_VALUE: put_value(r->out, lookup(sc, op), false); break;
        case PAGE_RAW: put_value(r->out, lookup(sc, op), true); break;
        case PAGE_SECTION:
        case PAGE_INVERTED:
            e = render_section(r, sc, op);
            i = op->end - 1;
            break;
        case PAGE_PARTIAL: e = render_partial(r, sc, op); break;
        }
        if (!sb_ok(r->out))
            e = WEIR_E_INTERNAL;
    }
    return e;
}

enum weir_err page_render(const struct page_set *s, const char *name, const json_t *ctx, struct sb *out)
{
    const struct page *p = page_find(s, name);
    struct render r = {.set = s, .out = out};
    struct frame root = {.value = ctx};
    struct scope sc = {.frame = &root};

    if (!p)
        return WEIR_E_NOT_FOUND;
    sc.code = &p->code;
    return render_ops(&r, &sc, 0, p->code.n);
}

struct page_set *page_set_new(void)
{
    return mem_zalloc(1, sizeof(struct page_set));
}

void page_set_free(struct page_set *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        free(s->page[i].name);
        page_code_done(&s->page[i].code);
    }
    free(s->page);
    free(s);
}

enum weir_err page_set_add(struct page_set *s, const char *name, const char *text, size_t n, char why[PAGE_WHY])
{
    size_t i = page_slot(s, name);
    struct page_code code;
    enum weir_err e = page_parse(text, n, &code, why);

    if (e)
        return e;
    if (i < s->n && !strcmp(s->page[i].name, name)) {
        page_code_done(&s->page[i].code);
    } else {
        s->page = mem_grow(s->page, s->n + 1, sizeof *s->page);
        memmove(&s->page[i + 1], &s->page[i], (s->n - i) * sizeof *s->page);
        s->page[i].name = mem_strdup(name);
        s->n++;
    }
    s->page[i].code = code;
    return WEIR_OK;
}

/* Read one file whole and add it under its name without the ending. */
static enum weir_err load_file(struct page_set *s, int dir, const char *file, char why[PAGE_WHY])
{
    char name[256], reason[PAGE_WHY];
    size_t name_len = strlen(file) - strlen(".mustache"), n;
    char *text = mem_zalloc(PAGE_TEXT_MAX + 1, 1);
    enum weir_err e = WEIR_E_UNAVAILABLE;
    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    (void)snprintf(name, sizeof name, "%.*s", (int)name_len, file);
    if (!f) {
        (void)snprintf(why, PAGE_WHY, "%.60s: %s", file, strerror(errno));
        goto out;
    }
    n = fread(text, 1, PAGE_TEXT_MAX + 1, f);
    if (ferror(f)) {
        (void)snprintf(why, PAGE_WHY, "%.60s: cannot be read", file);
        goto out;
    }
    e = page_set_add(s, name, text, n, reason);
    if (e)
        (void)snprintf(why, PAGE_WHY, "%.50s, %.100s", file, reason);
out:
    if (f)
        (void)fclose(f);
    else if (fd >= 0)
        (void)close(fd);
    free(text);
    return e;
}

/* In a set loaded from files a partial that is missing is a slip of the pen. */
static enum weir_err check_partials(const struct page_set *s, char why[PAGE_WHY])
{
    for (size_t i = 0; i < s->n; i++) {
        const struct page_code *c = &s->page[i].code;

        for (uint32_t k = 0; k < c->n; k++) {
            const char *name = c->text + c->op[k].at;

            if (c->op[k].kind != PAGE_PARTIAL || page_find(s, name))
                continue;
            (void)snprintf(why, PAGE_WHY, "%.50s.mustache: there is no partial %.50s", s->page[i].name, name);
            return WEIR_E_INVALID_FIELD;
        }
    }
    return WEIR_OK;
}

static bool is_template(const char *file)
{
    size_t n = strlen(file), end = strlen(".mustache");

    return file[0] != '.' && n > end && !strcmp(file + n - end, ".mustache");
}

enum weir_err page_set_load(const char *dir, struct page_set **out, char why[PAGE_WHY])
{
    struct page_set *s = page_set_new();
    enum weir_err e = WEIR_OK;
    DIR *d = opendir(dir);
    struct dirent *entry;

    *out = NULL;
    if (!d) {
        (void)snprintf(why, PAGE_WHY, "%.100s: %s", dir, strerror(errno));
        e = WEIR_E_UNAVAILABLE;
    }
    while (!e && (entry = readdir(d)))
        if (is_template(entry->d_name))
            e = load_file(s, dirfd(d), entry->d_name, why);
    if (!e)
        e = check_partials(s, why);
    if (!e) {
        *out = s;
        s = NULL;
    }
    if (d)
        (void)closedir(d);
    page_set_free(s);
    return e;
}
