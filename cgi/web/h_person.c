/* h_person.c - what is kept of one person: given to them or to an administrator,
 * and erased. */
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "flow/erasure.h"
#include "web/admin.h"
#include "web/copies.h"
#include "web/field.h"
#include "web/route.h"

/* --- export --- */

static enum weir_err note(struct db *db, const struct admin_change *c)
{
    (void)db, (void)c;
    return WEIR_OK;
}

static enum weir_err export(struct exchange *x, const char *who)
{
    struct sb name = sb_make(128);
    struct person p;
    enum weir_err e = person_find(x->db, who, &p);

    if (!e)
        e = admin_apply(x, "person.export", p.user_id, note, NULL);
    if (!e)
        e = person_export(x->db, &p, PERSON_JSON, &x->out.body, NULL, NULL);
    if (!e && !sb_ok(&x->out.body))
        e = web_refuse(x, WEIR_E_OUT_OF_RANGE, NULL, "This is more than fits into one answer; 'weir user export' writes it into files.");
    if (!e) {
        sb_putf(&name, "attachment; filename=\"weir-%s.json\"", p.user_id);
        http_header(&x->out, "Content-Disposition", sb_str(&name));
    }
    sb_done(&name);
    return e;
}

enum weir_err h_person_export(struct exchange *x)
{
    return export(x, x->arg[0]);
}

/* The command line writes larger ones into files, and says so before. */
enum weir_err h_person_export_note(struct exchange *x)
{
    struct field_fault fault = {.param = ""};
    struct person p;
    enum weir_err e = field_read(x->json, NULL, 0, "", NULL, &fault);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    e = person_find(x->db, x->arg[0], &p);
    if (!e)
        e = admin_apply(x, "person.export", p.user_id, note, NULL);
    x->out.status = 204;
    x->out.type = NULL;
    return e;
}

enum weir_err h_own_export(struct exchange *x)
{
    return export(x, x->who.user_id);
}

/* --- erasure --- */

enum weir_err h_person_erase(struct exchange *x)
{
    const struct audit_entry entry = {.at_ms = x->arrived_ms, .actor = x->who.user_id, .action = "person.erase", .object = x->arg[0],
                                      .detail = "{}", .request_id = x->request_id};
    struct sb ended = sb_make(1 << 20), *out = &x->out.body;
    struct person_gone gone = {.sessions = 0};
    struct person p;
    enum weir_err e = person_find(x->db, x->arg[0], &p);

    if (!e && strcmp(p.user_id, x->arg[0]) != 0)
        e = WEIR_E_NOT_FOUND;                         /* a name is no id here */
    if (!e)
        e = erasure_begin(x->web->writer, &p, &entry, &gone);
    if (e == WEIR_E_CONFLICT)
        e = web_refuse(x, e, NULL, "This is the last administrator; make another one first.");
    if (e)
        goto out;
    auth_forget(x->web->auth);
    engine_cancel(x->web->engine, p.user_id, NULL, NULL, &ended);
    if (engine_reload_budgets(x->web->engine))
        e = WEIR_E_STORAGE;
    if (!e)
        e = erasure_finish(x->web->writer, &p, &gone);
    if (e) {
        e = web_refuse(x, e, NULL, "The account is closed, but not all of its data could be erased; ask again with the id %s.", gone.pseudonym);
        goto out;
    }
    sb_putf(out, "{\"sessions\":%" PRId64 ",\"texts\":%" PRId64 ",\"tokens\":%" PRId64 ",\"requests_ended\":%s", gone.sessions, gone.texts,
            gone.tokens, sb_str(&ended));
    sb_puts(out, keeper_clean(x->web->keeper) ? ",\"files_clean\":true" : ",\"files_clean\":false");
    sb_puts(out, ",\"copies\":");
    copies_json(x->web->settings->state, out);
    sb_puts(out, "}\n");
out:
    sb_done(&ended);
    return e;
}
