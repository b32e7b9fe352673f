/* signin.h - signing in with a name and a password: the waits after wrong ones,
 * and what the audit log says about them. Acceptors. */
#ifndef WEIR_SIGNIN_H
#define WEIR_SIGNIN_H

#include "web/web.h"

struct signed_in {
    char user_id[RAND_ID_SIZE];
    int32_t failures;                    /* wrong passwords before it */
    char rehash[PASSWORD_HASH_SIZE];     /* the same password with today's effort, to be stored; "": not needed */
};

/* Refused: E_UNAUTHENTICATED, whether the name, the password or the user is at fault, with the same words after the same work;
 * E_RATE_LIMITED after too many, known name or not; E_OVERLOADED. */
enum weir_err signin_by_password(struct exchange *x, const char *name, const char *password, struct signed_in *out)
    __attribute__((warn_unused_result));

#endif
