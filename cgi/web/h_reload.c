/* h_reload.c - POST /admin/reload: the configuration file is read again. */
#include <stdlib.h>

#include "web/field.h"
#include "web/reload.h"
#include "web/route.h"

enum weir_err h_reload(struct exchange *x)
{
    struct field_fault fault = {.param = ""};
    enum weir_err e = field_read(x->json, NULL, 0, "", NULL, &fault);
    struct sb extra = sb_make(8192);

    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    e = reload_now(x->web->reload, x->who.user_id, x->request_id, &x->out.body);
    if (!e)
        return WEIR_OK;
    sb_putc(&extra, ',');
    reload_config_json(x->web->reload, &extra);
    x->error_extra = sb_take(&extra);
    return web_refuse(x, e, NULL, "%s", sb_str(&x->out.body));
}
