/* h_pages.h - the HTML pages: handlers of the /app routes stand in route.h's
 * table; here is what the rest of web/ asks of them. */
#ifndef WEIR_H_PAGES_H
#define WEIR_H_PAGES_H

#include <stdbool.h>

#include "web/web.h"

/* Answer a refusal on a page's route: without a session a redirect to /app/login, else a page that says what `d` says.
 * Fills x->out and returns true; false leaves the answer to the JSON error. */
bool page_refuse(struct exchange *x, enum weir_err e, const struct err_detail *d);

#endif
