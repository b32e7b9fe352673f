/* form.c - see form.h. */
#include "web/form.h"

#include <string.h>
#include <strings.h>

enum { HEAD_MAX = 8192, REST_MAX = 256 * 1024, NAME_MAX_BYTES = 1024 };
enum { IN_PART, AFTER_DELIMITER, IN_HEAD, ENDED };

/* The value of a parameter of a header, quoted or not, appended to `out`. False: it is not there. */
static bool parameter(const char *header, const char *name, struct sb *out)
{
    size_t n = strlen(name);

    for (const char *p = header; (p = strchr(p, ';'));) {
        p += 1 + strspn(p + 1, " \t");
        if (strncasecmp(p, name, n) != 0 || p[n] != '=')
            continue;
        p += n + 1;
        if (*p != '"') {
            sb_put(out, p, strcspn(p, "; \t\r\n"));
            return sb_ok(out);
        }
        for (p++; *p && *p != '"'; p++) {
            p += *p == '\\' && p[1];
            sb_putc(out, *p);
        }
        return *p == '"' && sb_ok(out);
    }
    return false;
}

bool form_begin(struct form *f, const char *content_type, const struct form_reader *r)
{
    static const char type[] = "multipart/form-data";
    struct sb boundary = sb_make(FORM_BOUNDARY_MAX);
    bool ok = content_type && strncasecmp(content_type, type, sizeof type - 1) == 0 && parameter(content_type, "boundary", &boundary) &&
              boundary.len > 0;

    *f = (struct form){.reader = r, .state = IN_PART, .rest = sb_make(REST_MAX)};
    if (ok) {
        memcpy(f->delimiter, "\r\n--", 4);
        memcpy(f->delimiter + 4, sb_str(&boundary), boundary.len);
        f->delimiter_len = boundary.len + 4;
        sb_puts(&f->rest, "\r\n");       /* the first boundary has no line before it */
    }
    sb_done(&boundary);
    return ok;
}

void form_done(struct form *f)
{
    sb_done(&f->rest);
}

bool form_ended(const struct form *f)
{
    return f->state == ENDED;
}

/* The lines before a part's content, ended by a zero byte in place of the empty line. */
static enum weir_err begin_part(struct form *f, char *head)
{
    struct sb name = sb_make(NAME_MAX_BYTES), filename = sb_make(NAME_MAX_BYTES);
    bool named = false, file = false;
    enum weir_err e = WEIR_E_INVALID_FIELD;

    for (char *line = head, *next; line && !named; line = next) {
        next = strstr(line, "\r\n");
        if (next) {
            *next = '\0';
            next += 2;
        }
        if (strncasecmp(line, "Content-Disposition:", 20) != 0)
            continue;
        named = parameter(line, "name", &name);
        file = parameter(line, "filename", &filename);
    }
    if (named)
        e = f->reader->begin(f->reader->ctx, sb_str(&name), file ? sb_str(&filename) : NULL);
    sb_done(&name);
    sb_done(&filename);
    f->inside = true;
    f->state = IN_PART;
    return e;
}

/* Pass on what is certainly the part's. Gives how many bytes were used up. */
static size_t step_part(struct form *f, const char *p, size_t n, enum weir_err *e)
{
    const char *end = memmem(p, n, f->delimiter, f->delimiter_len);
    size_t sure = end ? (size_t)(end - p) : n < f->delimiter_len ? 0 : n - f->delimiter_len + 1;

    if (f->inside && sure > 0)
        *e = f->reader->data(f->reader->ctx, p, sure);
    if (!end)
        return sure;
    f->state = AFTER_DELIMITER;
    return sure + f->delimiter_len;
}

static size_t step_delimiter(struct form *f, const char *p, size_t n, enum weir_err *e)
{
    size_t blank = 0;

    while (blank < n && (p[blank] == ' ' || p[blank] == '\t'))
        blank++;
    if (n - blank < 2)
        return 0;
    if (p[blank] == '-' && p[blank + 1] == '-')
        f->state = ENDED;
    else if (p[blank] == '\r' && p[blank + 1] == '\n')
        f->state = IN_HEAD;
    else
        *e = WEIR_E_INVALID_FIELD;
    return blank + 2;
}

static size_t step_head(struct form *f, char *p, size_t n, enum weir_err *e)
{
    char *end = memmem(p, n, "\r\n\r\n", 4);

    if (!end) {
        *e = n > HEAD_MAX ? WEIR_E_INVALID_FIELD : WEIR_OK;
        return 0;
    }
    *end = '\0';
    if (strlen(p) != (size_t)(end - p))
        *e = WEIR_E_INVALID_FIELD;
    else
        *e = begin_part(f, p);
    return (size_t)(end - p) + 4;
}

enum weir_err form_feed(struct form *f, const char *p, size_t n)
{
    enum weir_err e = WEIR_OK;
    size_t at = 0, used = 1;

    if (f->state == ENDED)
        return WEIR_OK;                  /* what follows the last boundary means nothing */
    sb_put(&f->rest, p, n);
    if (!sb_ok(&f->rest))
        return WEIR_E_OVERLOADED;
    while (!e && used > 0 && at < f->rest.len && f->state != ENDED) {
        char *from = f->rest.p + at;
        size_t left = f->rest.len - at;

        switch (f->state) {
        case IN_PART: used = step_part(f, from, left, &e); break;
        case AFTER_DELIMITER: used = step_delimiter(f, from, left, &e); break;
        default: used = step_head(f, from, left, &e); break;
        }
        at += used;
    }
    if (at > 0) {
        memmove(f->rest.p, f->rest.p + at, f->rest.len - at);
        sb_drop(&f->rest, at);
    }
    return e;
}
