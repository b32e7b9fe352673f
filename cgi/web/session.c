/* session.c - see session.h. */
#include "web/session.h"

#include <string.h>

#include "store/convo.h"
#include "store/convo_name.h"
#include "web/route.h"

enum weir_err session_find(struct exchange *x, const char *owner, const char **name)
{
    enum weir_err e;

    if (!*name)
        return WEIR_OK;
    e = convo_named(x->db, owner, *name, x->session_id);
    if (!e && (x->who.role == ROLE_USER || !convo_exists(x->db, *name) || convo_exists(x->db, x->session_id)))
        *name = x->session_id;
    return e;
}

enum weir_err session_of_path(struct exchange *x)
{
    const char *id = x->arg[0];
    enum weir_err e;

    if (!strstr(x->route->pattern, "{session}"))
        return WEIR_OK;
    e = session_find(x, x->who.user_id, &id);
    if (id != x->arg[0])
        memcpy(x->arg[0], id, strlen(id) + 1);
    return e;
}
