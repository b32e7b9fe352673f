/* h_audit.c - /admin/audit: who did what. */
#include "web/admin.h"
#include "web/route.h"

enum weir_err h_audit_list(struct exchange *x)
{
    struct admin_page page;
    enum weir_err e = admin_page_read(x, "", &page);

    if (e)
        return e;
    e = audit_json(x->db, page.cursor, page.limit, &x->out.body);
    sb_putc(&x->out.body, '\n');
    return e;
}
