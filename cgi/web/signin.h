/* signin.h - signing in: with a name and a password, with the waits after wrong
 * ones, or because a proxy in front says who it is; and how a browser session
 * begins. Acceptors. */
#ifndef WEIR_SIGNIN_H
#define WEIR_SIGNIN_H

#include "web/web.h"

struct signed_in {
    char user_id[RAND_ID_SIZE];
    char token_id[RAND_ID_SIZE];         /* of the token that was shown, or "" */
    int32_t failures;                    /* wrong passwords before it */
    char rehash[PASSWORD_HASH_SIZE];     /* the same password with today's effort, to be stored; "": not needed */
};

/* Refused: E_UNAUTHENTICATED, whether the name, the password or the user is at fault, with the same words after the same work;
 * E_RATE_LIMITED after too many, known name or not; E_OVERLOADED. */
enum weir_err signin_by_password(struct exchange *x, const char *name, const char *password, struct signed_in *out)
    __attribute__((warn_unused_result));

/* Begin a browser session for who was found, or for whom the one-time `code` (or NULL) names: x->who becomes theirs, the cookie goes
 * out with the answer, the session of an old cookie ends. `with` is for the audit log. E_UNAUTHENTICATED: the code holds no more. */
enum weir_err signin_begin(struct exchange *x, const char *with, const char *code, const struct signed_in *in) __attribute__((warn_unused_result));
/* The same for whom the proxy names, who is made with the role of sign_in.proxy_role if they were never here. False: it names nobody,
 * or one who may not sign in. */
bool signin_by_proxy(struct exchange *x) __attribute__((warn_unused_result));
/* Put the cookie into the answer; NULL takes it away from the browser. */
void signin_cookie(struct exchange *x, const char *cookie);

#endif
