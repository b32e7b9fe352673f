/* budgets_row.h - a row of the table as budgets.c and budgets_load.c read it.
 * Internal to store/. */
#ifndef WEIR_BUDGETS_ROW_H
#define WEIR_BUDGETS_ROW_H

#include "store/budgets.h"

#define BUDGETS_COLUMNS "budget_id, scope, key, each, window, tz, limit_pico, created_ms, warn"

void budgets_row_read(const struct query *q, struct budget_row *r);

#endif
