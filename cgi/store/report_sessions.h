/* report_sessions.h - a selection by session. Sessions are many: of a small
 * selection all are added up, of a large one only the dearest are found.
 * Internal to store/. */
#ifndef WEIR_REPORT_SESSIONS_H
#define WEIR_REPORT_SESSIONS_H

#include "store/report_list.h"

enum { SESSIONS_ALL_REQUESTS = 100000 };   /* of so many requests of anybody in the range all sessions are added up */

struct report_sessions {
    struct report_list list;     /* all, or at least as many of the dearest as the filter's limit; key 0: all other requests */
    int64_t priced, cost;        /* sessions that had a price, and what they cost; 0 unless all are here */
};

/* After report_scan_run(). The list is the caller's to end, whatever this returns. */
enum weir_err report_sessions_read(struct report_sessions *l, struct db *ro, const struct report_scan *s)
    __attribute__((warn_unused_result));

#endif
