/* h_pages.c - the HTML pages. */
#include "web/h_pages.h"

#include "web/route.h"

bool page_refuse(struct exchange *x, enum weir_err e, const struct err_detail *d)
{
    (void)d;
    if (e != WEIR_E_UNAUTHENTICATED)
        return false;
    http_see_other(&x->out, "/app/login");
    return true;
}

static enum weir_err page(struct exchange *x, const char *title)
{
    x->out.type = "text/html; charset=utf-8";
    sb_puts(&x->out.body, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>");
    sb_attr(&x->out.body, title);
    sb_puts(&x->out.body, "</title><h1>");
    sb_attr(&x->out.body, title);
    sb_puts(&x->out.body, "</h1></html>\n");
    return WEIR_OK;
}

enum weir_err h_page_login(struct exchange *x) { return page(x, "Sign in to Weir"); }
enum weir_err h_page_chat(struct exchange *x) { return page(x, "Weir"); }
enum weir_err h_page_dashboard(struct exchange *x) { return page(x, "Dashboard"); }
enum weir_err h_page_settings(struct exchange *x) { return page(x, "Settings"); }
enum weir_err h_page_help(struct exchange *x) { return page(x, "Help"); }
