/* price_table.h - the table as price_load.c builds it and price.c reads it. */
#ifndef WEIR_PRICE_TABLE_H
#define WEIR_PRICE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/price.h"

enum { PRICE_NAME_MAX = 200 };

struct price_name {
    const char *name;            /* an id, or another name of it */
    const struct price *price;
    bool alias;
};

struct price_table {
    struct price *price;         /* by provider, then id */
    size_t n;
    struct price *variant;       /* the services' prices, as many places for each model */
    struct price_name *name;     /* by provider, then name */
    size_t names;
    char version[PRICE_VERSION_SIZE];
    char **string;               /* what the pointers above point to */
    size_t strings;
};

#endif
