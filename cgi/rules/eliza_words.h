/* eliza_words.h - a text as ELIZA hears it: clauses of words, and whether a
 * pattern of the script fits one. Everything has a fixed size. Pure. */
#ifndef WEIR_ELIZA_WORDS_H
#define WEIR_ELIZA_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/eliza_script.h"

enum {
    ELIZA_WORD_SIZE = 28,    /* a longer word is heard as "that" */
    ELIZA_CLAUSE_WORDS = 48,
    ELIZA_PARTS = 10
};

struct eliza_word {
    char low[ELIZA_WORD_SIZE];     /* for looking up */
    char text[ELIZA_WORD_SIZE];    /* for saying back */
};

struct eliza_clause {
    struct eliza_word w[ELIZA_CLAUSE_WORDS];
    int n;
};

/* What each part of a pattern took: words from … to-1. */
struct eliza_parts {
    int from[ELIZA_PARTS], to[ELIZA_PARTS];
    int n;
};

/* What a whole text consists of: words, ASCII letters and digits, other letters, signs of code. */
struct eliza_look {
    int words, ascii, other, signs;
};

/* Is `word` (n bytes) among the words of `list`, which `gap` separates? */
bool eliza_in_list(const char *list, char gap, const char *word, size_t n);
/* What stands for `word` (n bytes) in `pairs`, NULL if nothing does. */
const char *eliza_pair_find(const struct eliza_pair *pairs, size_t count, const char *word, size_t n);

struct eliza_look eliza_look_at(const char *text, size_t n);
/* The next clause of the text from *at, which moves past it, with the script's
 * substitutions made; false if there is no word left. */
bool eliza_next_clause(const char *text, size_t n, size_t *at, struct eliza_clause *c);

/* Does the whole clause fit the pattern? Each `*` takes as little as it can. */
bool eliza_match(const char *pattern, const struct eliza_clause *c, struct eliza_parts *p);

#endif
