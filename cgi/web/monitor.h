/* monitor.h - what the handlers of /monitoring share. Acceptor threads. */
#ifndef WEIR_MONITOR_H
#define WEIR_MONITOR_H

#include "store/report.h"
#include "web/web.h"

/* Whose figures the caller may see: borrowed; NULL for everybody's. */
const char *monitor_owner(const struct exchange *x);
/* The query as a filter, narrowed to the owner; a range without `from` begins `days` before its end. Names of the
 * query that are no filter's are left to the handler. Unless OK, the exchange is refused with a sentence. */
enum weir_err monitor_filter(struct exchange *x, int days, struct report_filter *f) __attribute__((warn_unused_result));

#endif
