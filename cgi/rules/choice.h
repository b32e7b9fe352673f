/* choice.h - why a call went where it went: the closed set of words that each
 * attempt is recorded with. Stored as numbers: the order is part of the database. */
#ifndef WEIR_CHOICE_H
#define WEIR_CHOICE_H

enum choice {
    CHOICE_ONLY,                  /* there was one healthy upstream for it */
    CHOICE_MOST_HEADROOM,         /* of several at the same cost the one with most room */
    CHOICE_CHEAPEST,              /* of several at different costs */
    CHOICE_SOONEST,               /* the first that could start; a cheaper one, or an equal one, could not yet */
    CHOICE_RETRY,                 /* again after a failed attempt */
    CHOICE_FALLBACK_UNHEALTHY,    /* another model: all upstreams of the one before are down, cooling or failing */
    CHOICE_FALLBACK_FAILED,       /* another model: the one before failed too often */
    CHOICE_FALLBACK_LATE,         /* another model: the one before would have begun too late */
    CHOICE_COUNT
};

const char *choice_name(enum choice c);       /* "only" "most_headroom" … */
const char *choice_text(enum choice c);       /* the same as a sentence */

#endif
