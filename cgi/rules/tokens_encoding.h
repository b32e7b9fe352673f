/* tokens_encoding.h - what tokens_load.c makes and tokens.c counts with. */
#ifndef WEIR_TOKENS_ENCODING_H
#define WEIR_TOKENS_ENCODING_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stddef.h>

#include "rules/ranks.h"

struct tokens_encoding {
    struct ranks ranks;
    pcre2_code *pattern;      /* splits a text into pieces */
    bool jit;
    void *map;                /* the rank file */
    size_t map_bytes;
};

#endif
