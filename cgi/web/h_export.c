/* h_export.c - GET /monitoring/export: pieces from the database to nginx, one
 * after another, by the acceptor itself. nginx buffers them to disk, so a slow
 * reader holds no acceptor; and exports never take all of them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/report_export.h"
#include "web/monitor.h"
#include "web/route.h"

enum { PIECE_MAX = 4 * 1024 * 1024 };

static void set_head(struct exchange *x, enum export_format format)
{
    static const char *const types[] = {"text/csv; charset=utf-8; header=present", "application/json", "application/x-ndjson"};
    struct sb name = sb_make(128), at = sb_make(64);

    sb_time(&at, x->arrived_ms);             /* 2026-11-22T06:20:00.123Z */
    sb_putf(&name, "attachment; filename=\"weir_usage_%.4s%.2s%.2sT%.2s%.2s%.2sZ.%s\"", sb_str(&at), sb_str(&at) + 5, sb_str(&at) + 8,
            sb_str(&at) + 11, sb_str(&at) + 14, sb_str(&at) + 17, export_format_name(format));
    x->out.type = types[format];
    http_header(&x->out, "Content-Disposition", sb_str(&name));
    sb_done(&name);
    sb_done(&at);
}

/* Once the first piece is there an error could still be told; later ones only cut the answer off. */
static enum weir_err send_pieces(struct exchange *x, struct report_export *r)
{
    struct sb piece = sb_make(PIECE_MAX);
    enum weir_err e = WEIR_OK;

    while (report_export_next(r, x->db, &piece, &e)) {
        if (!sb_ok(&piece))
            e = WEIR_E_INTERNAL;
        if (e || !web_send(x, sb_str(&piece), piece.len) || atomic_load(&x->web->draining))
            break;
        sb_reset(&piece);
    }
    if (e && x->out.streamed)
        log_error("export %s: broken off after %" PRId64 " rows (%s)", x->request_id, r->sums.requests, err_code(e));
    sb_done(&piece);
    return e;
}

enum weir_err h_export(struct exchange *x)
{
    const char *wanted = http_query(&x->in, "format", "csv"), *totals = http_query(&x->in, "totals", "false");
    struct report_export *r;
    enum export_format format;
    struct report_filter f;
    enum weir_err e = monitor_filter(x, 1, &f);

    if (e)
        return e;
    if (!export_format_parse(wanted, &format))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "format", "'%.20s' is no format; csv, json and ndjson are.", wanted);
    if (strcmp(totals, "true") != 0 && strcmp(totals, "false") != 0)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "totals", "'%.20s' is neither true nor false.", totals);
    if ((e = web_long_begin(x)))
        return e;
    r = mem_zalloc(1, sizeof *r);
    db_pass_over(x->db, true);
    e = report_export_begin(r, x->db, &f, format);
    if (!e) {
        r->totals = strcmp(totals, "true") == 0;
        set_head(x, format);
        e = send_pieces(x, r);
    }
    db_pass_over(x->db, false);
    free(r);
    web_long_end(x);
    return e;
}
