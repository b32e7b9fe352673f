/* admin.c - changes and lists of /admin. */
#include "web/admin.h"

#include <stdlib.h>
#include <string.h>

static enum weir_err run_change(struct db *db, struct write_op *op)
{
    const struct admin_change *c = (const struct admin_change *)op;
    enum weir_err e = c->make(db, c);

    return e ? e : audit_add(db, &c->entry);
}

/* The body without what nobody is to read later. */
static char *detail_of(const json_t *body)
{
    static const char *const secrets[] = {"password", "current_password"};
    json_t *shown = json_copy((json_t *)(uintptr_t)body);
    char *text;

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        if (json_object_get(shown, secrets[i]))
            (void)json_object_set_new(shown, secrets[i], json_true());
    }
    text = json_dumps(shown, JSON_COMPACT);
    json_decref(shown);
    return text;
}

enum weir_err admin_apply(struct exchange *x, const char *action, const char *object,
                          enum weir_err (*make)(struct db *db, const struct admin_change *c), const void *what)
{
    char *detail = x->json ? detail_of(x->json) : NULL;
    struct admin_change c = {.op.run = run_change, .make = make, .what = what,
                             .entry = {.at_ms = x->arrived_ms, .actor = x->who.user_id, .action = action, .object = object,
                                       .detail = detail ? detail : "{}", .request_id = x->request_id}};
    enum weir_err e = writer_call(x->web->writer, &c.op);

    free(detail);
    return e;
}

static bool is_one_of(const char *word, const char *list)
{
    size_t n = strlen(word);

    for (const char *at = list; n && (at = strstr(at, word)); at += n) {
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    }
    return false;
}

static bool digits(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && n < 19 && strspn(s, "0123456789") == n;
}

enum weir_err admin_page_read(struct exchange *x, const char *states, struct admin_page *out)
{
    *out = (struct admin_page){.limit = 100};
    for (int i = 0; i < x->in.query_count; i++) {
        const char *name = x->in.query[i].name, *value = x->in.query[i].value;

        if (strcmp(name, "state") == 0) {
            if (!is_one_of(value, states))
                return web_refuse(x, WEIR_E_INVALID_FIELD, name, "'state' must be one of: %s.", states);
            out->state = value;
        } else if (strcmp(name, "cursor") == 0) {
            if (!digits(value))
                return web_refuse(x, WEIR_E_INVALID_FIELD, name, "'cursor' must be what 'next_cursor' of the page before said.");
            out->cursor = value;
        } else {
            out->limit = digits(value) ? strtoll(value, NULL, 10) : 0;
            if (out->limit < 1 || out->limit > 1000)
                return web_refuse(x, WEIR_E_OUT_OF_RANGE, name, "'limit' must be a whole number from 1 to 1000.");
        }
    }
    return WEIR_OK;
}
