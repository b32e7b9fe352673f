/* context.c - see context.h. */
#include "rules/context.h"

int64_t context_room(int64_t window, int64_t max_tokens)
{
    return window - (max_tokens < window / 4 ? max_tokens : window / 4);
}

/* The first question before which at least `excess` tokens lie. */
static size_t cut_behind(const struct context_turn *turns, size_t n, int64_t excess)
{
    int64_t before = 0;

    for (size_t i = 0; i < n; i++) {
        if (before >= excess && turns[i].question)
            return i;
        before += turns[i].tokens;
    }
    return n;
}

size_t context_omitted(const struct context_turn *turns, size_t n, int64_t fixed, int64_t room)
{
    int64_t excess = fixed - room, step = room / 4 > 0 ? room / 4 : 1;
    size_t omitted;

    for (size_t i = 0; i < n; i++)
        excess += turns[i].tokens;
    if (excess <= 0)
        return 0;
    omitted = cut_behind(turns, n, (excess + step - 1) / step * step);
    return omitted < n ? omitted : cut_behind(turns, n, excess);
}
