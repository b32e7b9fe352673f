/* h_retention.c - /admin/retention: what is kept, for how long, and what was taken out. */
#include "web/route.h"

enum weir_err h_retention(struct exchange *x)
{
    keeper_retention(x->web->keeper, x->web->settings, &x->out.body);
    sb_putc(&x->out.body, '\n');
    return WEIR_OK;
}
