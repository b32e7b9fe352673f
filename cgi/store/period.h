/* period.h - windows of budgets on the calendar of a time zone. Pure.
 *
 * A day begins at local midnight, a week on Monday, a month on the first; a day
 * may have 23 or 25 hours. */
#ifndef WEIR_PERIOD_H
#define WEIR_PERIOD_H

#include "rules/budget.h"
#include "store/zone.h"

/* The window that the moment lies in: periods meet without gap or overlap. */
struct budget_span period_at(const struct zone *z, enum budget_window w, int64_t utc_ms);

#endif
