/* manage.h - what the pages under /app/settings are made of: one section a page. Constant. */
#ifndef WEIR_MANAGE_H
#define WEIR_MANAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "web/route.h"

/* How a member is shown; a rule and a reset are of the whole item, in words. A time is shown as one, whatever is said here, and where
 * a column is said to have them the page says by whose clocks; what is absent is "—". */
enum manage_show { SHOW_PLAIN, SHOW_COUNT, SHOW_MONEY, SHOW_RATE, SHOW_SHARE, SHOW_ON, SHOW_PERSON, SHOW_ID, SHOW_CODE, SHOW_RECOVERY, SHOW_RULE,
                   SHOW_TIME, SHOW_RESET };

struct manage_column {
    const char *member, *label;
    enum manage_show show;
};

enum manage_when { WHEN_ADD = 1, WHEN_CHANGE = 2, WHEN_BOTH = 3 };

struct manage_field {
    const char *name;               /* a dot in it for a member of a member */
    const char *label;
    const char *type;               /* text, password, number, check, time, list (separated by commas), json, user, or the choices separated by / */
    enum manage_when when;
    const char *help;               /* NULL: the label says all */
    const char *only;               /* "kind=cost anomaly": shown while that field is one of these; NULL: always */
};

enum { MANAGE_COLUMNS = 8, MANAGE_FIELDS = 10, MANAGE_ACTS = 3 };

/* What else can be done with a row: a request to its path, or a link. */
struct manage_act {
    const char *label;
    const char *method;             /* NULL: a link to `before`, the row's id, `after`; else a request to the row's path and `after` */
    const char *before, *after;
    const char *body;               /* JSON; NULL: none */
    const char *state;              /* for rows of this "state" alone; NULL: for all */
    bool in_form;                   /* beside the form that changes the row; else in the row */
    const char *sure, *yes;         /* asked before it, "%" for the row's name, and what agrees; NULL: nothing is asked */
    const char *said;               /* once it is done; NULL: the page `before`, the row's id, comes */
};

struct manage_section {
    const char *name, *title, *path;
    const char *of;                 /* the section whose row it is about, by which its handler knows path and lead; NULL: it stands in the list of pages */
    const char *rows;               /* the member of the answer that holds the list; NULL: the answer is the one item */
    const char *id;                 /* the member by which a row is changed and removed */
    const char *one;                /* "a user": what the button adds; NULL: nothing can be added */
    web_handler *list;
    bool admin, removable;
    const char *lead;               /* what this page is for */
    const char *none;               /* said where there is nothing */
    struct manage_column columns[MANAGE_COLUMNS];
    struct manage_field fields[MANAGE_FIELDS];
    struct manage_act acts[MANAGE_ACTS];
};

extern const struct manage_section manage_sections[];
extern const size_t manage_sections_n;

#endif
