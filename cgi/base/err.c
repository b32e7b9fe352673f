/* err.c - the table of refusals and its JSON. */
#include "base/err.h"

#include <stddef.h>
#include <string.h>

static const struct {
    int status;
    const char *type, *code, *text;
} table[] = {
#define X(name, status, type, code, text) [WEIR_##name] = {status, type, code, text},
    WEIR_ERRORS(X)
#undef X
};

int err_status(enum weir_err e) { return table[e].status; }
const char *err_type(enum weir_err e) { return table[e].type; }
const char *err_code(enum weir_err e) { return table[e].code; }
const char *err_text(enum weir_err e) { return table[e].text; }

enum weir_err err_by_code(const char *code)
{
    for (int e = WEIR_OK + 1; e < WEIR_ERR_COUNT; e++) {
        if (strcmp(table[e].code, code) == 0)
            return (enum weir_err)e;
    }
    return WEIR_OK;
}

const char *err_reason(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"}, {201, "Created"}, {204, "No Content"}, {303, "See Other"}, {304, "Not Modified"}, {400, "Bad Request"},
        {401, "Unauthorized"}, {402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
        {409, "Conflict"}, {410, "Gone"}, {413, "Content Too Large"}, {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"}, {429, "Too Many Requests"}, {500, "Internal Server Error"}, {502, "Bad Gateway"},
        {503, "Service Unavailable"}, {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "Unknown";
}

void err_json_inner(struct sb *out, enum weir_err e, const struct err_detail *d)
{
    static const struct err_detail none = {.retry_after_ms = -1};

    if (!d)
        d = &none;
    sb_puts(out, "{\"type\":");
    sb_json(out, err_type(e));
    sb_puts(out, ",\"code\":");
    sb_json(out, d->code ? d->code : err_code(e));
    sb_puts(out, ",\"message\":");
    sb_json(out, d->message ? d->message : err_text(e));
    sb_puts(out, ",\"param\":");
    sb_json(out, d->param);
    sb_puts(out, ",\"request_id\":");
    sb_json(out, d->request_id);
    sb_puts(out, ",\"retry_after_ms\":");
    if (d->retry_after_ms >= 0)
        sb_i64(out, d->retry_after_ms);
    else
        sb_puts(out, "null");
    sb_puts(out, d->extra);
    sb_putc(out, '}');
}

void err_json(struct sb *out, enum weir_err e, const struct err_detail *d)
{
    sb_puts(out, "{\"error\":");
    err_json_inner(out, e, d);
    sb_putc(out, '}');
}
