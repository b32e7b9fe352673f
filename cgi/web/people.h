/* people.h - what the handlers of users and of tokens have in common: the rules
 * both may have, and what follows a change. Acceptors. */
#ifndef WEIR_PEOPLE_H
#define WEIR_PEOPLE_H

#include "rules/queue.h"
#include "store/account.h"
#include "web/admin.h"
#include "web/field.h"
#include "web/filter.h"

/* The members "max_priority", "limits" and "filters" of a request, and "weight" of an administrator's … */
struct people_wish {
    const char *max_priority;
    const json_t *limits, *filters, *weight;
};

#define PEOPLE_FIELDS(type, member)                                                                 \
    {"max_priority", FIELD_TEXT, offsetof(type, member.max_priority), 0, 16, false},                \
    {"limits", FIELD_OBJECT, offsetof(type, member.limits), 0, 8, false},                           \
    {"filters", FIELD_OBJECT, offsetof(type, member.filters), 0, 8, false}
#define PEOPLE_WEIGHT_FIELD(type, member, least) {"weight", FIELD_NUMBER, offsetof(type, member.weight), least, QUEUE_WEIGHT_MAX, false}

/* … checked: -1 is what was not said; `filters` NULL the same, "" that there are to be none, else JSON. */
struct people_rules {
    int max_priority;
    struct account_limits limits;
    int32_t weight;                  /* thousandths; 0: none, which a user cannot have */
    const char *filters;
    struct sb text;                  /* what `filters` points to */
};
/* Refuses what is wrong. people_rules_done() in every case. */
enum weir_err people_rules_read(struct exchange *x, const struct people_wish *w, struct people_rules *out) __attribute__((warn_unused_result));
void people_rules_done(struct people_rules *r);

/* A name for a user or a token: on one line, without what cannot be seen. Copies it; refuses another. */
enum weir_err people_name(struct exchange *x, const char *wish, char out[ACCOUNT_NAME_MAX + 1]) __attribute__((warn_unused_result));

/* Hash a password that is to be `name`'s. Refuses one that is too easy to guess. */
enum weir_err people_password(struct exchange *x, const char *password, const char *name, char hash[PASSWORD_HASH_SIZE])
    __attribute__((warn_unused_result));

/* Who they are is looked up anew from the next request on. */
void people_changed(struct exchange *x);
/* And what runs or waits with it ends: all of `user_id`'s, or what came with one token (the other NULL). */
void people_end(struct exchange *x, const char *user_id, const char *token_id);

#endif
