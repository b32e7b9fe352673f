/* constant.c - one check of a credential, for constant.sh to count what it takes:
 *
 *   csrf-first, csrf-last             a CSRF token that is wrong in its first or last character
 *   token-known, token-unknown        a token whose name somebody's has, or nobody's
 *   password-known, password-unknown  a wrong password of somebody, or of nobody
 *
 * The work counted is that of measured(); the status is 0 if the check said no. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/password.h"
#include "web/auth.h"

enum what { CSRF, TOKEN, PASSWORD };

struct given {
    enum what what;
    struct db *db;
    const char *token, *name;
    struct http_request rq;
    struct identity who;
};

/* True: let in. */
__attribute__((noinline)) bool measured(struct given *g);
bool measured(struct given *g)
{
    struct account_login login = {.user_id = ""};
    struct identity found;
    bool weak;

    if (g->what == CSRF)
        return auth_may_change(&g->rq, &g->who);
    if (g->what == TOKEN)
        return account_by_token(g->db, g->token, clock_utc_ms(), &found) == WEIR_OK;
    if (account_by_name(g->db, g->name, &login) == WEIR_E_STORAGE)
        return true;
    return password_check(login.password_hash, "not the right one", &weak) == WEIR_OK;
}

static void fill(struct db *db, char token[ACCOUNT_TOKEN_SIZE])
{
    static const char hash[] = "$argon2id$v=19$m=65536,t=2,p=1$wpl4SnSd9SbMCRqVgyXJtA$UkLTtKjxZ2qz6HMGGdhLYqqMBg0EuOUJYhB1gI8AXVU";
    const struct account_user u = {.user_id = "usr_known", .name = "known", .role = ROLE_USER, .password_hash = hash, .max_priority = PRIORITY_MEDIUM};
    struct account_token t = {.token_id = "tok_known", .user_id = "usr_known", .name = "one", .scopes = "", .secret = token, .max_priority = PRIORITY_HIGH};

    account_token_make(token);
    if (db_begin(db) || account_user_add(db, &u, 1) || account_token_add(db, &t, 1) || db_commit(db))
        exit(2);
}

int main(int argc, char **argv)
{
    /* Static all of it: what lies on the stack lies elsewhere with other arguments and another environment, and libc takes
     * a string near the end of a page in other steps. */
    static char known[ACCOUNT_TOKEN_SIZE], other[ACCOUNT_TOKEN_SIZE], csrf[ACCOUNT_SECRET_SIZE];
    static struct given g = {.token = other};
    char dir[] = "/tmp/weir-constant-XXXXXX", path[64], why[DB_WHY_SIZE];
    const char *what = argc > 1 ? argv[1] : "";
    struct db *db;
    bool in;

    g.what = *what == 'c' ? CSRF : *what == 't' ? TOKEN : PASSWORD;
    g.name = strstr(what, "unknown") ? "nokwn" : "known";
    if (!mkdtemp(dir))
        return 2;
    (void)snprintf(path, sizeof path, "%s/weir.db", dir);
    if (db_open(path, &db, why) || db_open_reader(path, &g.db, why))
        return 2;
    fill(db, known);
    account_token_make(other);
    if (strcmp(what, "token-known") == 0)
        memcpy(other, known, strlen("weir_") + 10);
    memset(csrf, 'a', sizeof csrf - 1);
    memcpy(g.who.csrf, csrf, sizeof csrf);
    csrf[strcmp(what, "csrf-last") == 0 ? strlen(csrf) - 1 : 0] = 'b';
    g.rq.csrf_token = csrf;
    g.rq.origin = "http://here";
    g.rq.host = "here";
    in = measured(&g);
    db_close(g.db);
    db_close(db);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/weir.db%s", dir, (const char *const[]){"", "-wal", "-shm"}[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    return in;
}
