/* local.c - see local.h. */
#include "web/local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "peer/fcgi_call.h"
#include "web/cmd_config.h"
#include "web/store_keys.h"
#include "web/web.h"

enum { ANSWER_MAX = 16 << 20 };

struct local {
    const struct settings *settings;
    char token[ACCOUNT_TOKEN_SIZE];      /* of the administrator: a Weir runs; else these: */
    struct db *db, *ro;
    struct web web;
};

static int say(int status, const char *why)
{
    fprintf(stderr, "weir: %s\n", why);
    return status;
}

/* --- without a Weir that runs --- */

static bool open_database(struct local *l, int *status)
{
    struct sb path = sb_make(8192), text = sb_make(8192);
    char why[DB_WHY_SIZE];

    sb_putf(&path, "%s/weir.db", l->settings->state);
    *status = EX_OK;
    if (access(sb_str(&path), F_OK) != 0)
        *status = say(EX_NOINPUT, "there is no database yet; start Weir once, and it is made.");
    else if (db_open(sb_str(&path), &l->db, why) || db_open_reader(sb_str(&path), &l->ro, why))
        *status = say(EX_TEMPFAIL, why);
    else if (!audit_key_load(l->settings->state, l->db, &text))
        *status = say(EXIT_CONFIG, sb_str(&text));
    if (*status == EX_OK) {
        l->web.settings = l->settings;
        if (!(l->web.writer = writer_start(l->db)))
            *status = EX_OSERR;
        l->web.auth = auth_new(l->web.writer);
    }
    sb_done(&path);
    sb_done(&text);
    return *status == EX_OK;
}

/* --- the Weir that runs --- */

static bool read_token(struct local *l, struct sb *why)
{
    struct sb path = sb_make(8192), text = sb_make(256);
    bool ok;

    sb_putf(&path, "%s/admin-token", l->settings->state);
    ok = file_read(sb_str(&path), &text, why);
    (void)snprintf(l->token, sizeof l->token, "%.*s", (int)strcspn(sb_str(&text), "\r\n"), sb_str(&text));
    sb_done(&path);
    sb_done(&text);
    return ok;
}

static enum fcgi_call_result ask(const struct local *l, const char *method, const char *path, const char *body, struct sb *out)
{
    struct sb m = sb_make(64), uri = sb_make(4096), bearer = sb_make(256), length = sb_make(64);
    enum fcgi_call_result r;

    sb_putf(&m, "REQUEST_METHOD=%s", method);
    sb_putf(&uri, "REQUEST_URI=%s", path);
    sb_putf(&bearer, "HTTP_AUTHORIZATION=Bearer %s", l->token);
    sb_putf(&length, "CONTENT_LENGTH=%zu", strlen(body));
    r = fcgi_call(l->settings->socket, (const char *const[]){sb_str(&m), sb_str(&uri), sb_str(&bearer), sb_str(&length),
                  "HTTP_CONTENT_TYPE=application/json", "REMOTE_ADDR=127.0.0.1", NULL}, body, strlen(body), out);
    explicit_bzero(bearer.p, bearer.len);
    sb_done(&m);
    sb_done(&uri);
    sb_done(&bearer);
    sb_done(&length);
    return r;
}

/* --- either --- */

bool local_runs(const struct settings *s)
{
    const struct local l = {.settings = s};
    struct sb said = sb_make(8192);
    bool runs = ask(&l, "GET", "/healthz", "", &said) == FCGI_CALL_OK;

    sb_done(&said);
    return runs;
}

struct local *local_open(const struct settings *s, int *status)
{
    struct local *l = mem_zalloc(1, sizeof *l);
    struct sb why = sb_make(8192);
    bool ok;

    l->settings = s;
    switch (ask(l, "GET", "/healthz", "", &why)) {
    case FCGI_CALL_NOBODY:
        ok = open_database(l, status);
        break;
    case FCGI_CALL_OK:
        sb_reset(&why);
        ok = read_token(l, &why);
        *status = ok ? EX_OK : say(EX_NOPERM, sb_str(&why));
        break;
    default:
        ok = false;
        *status = say(EX_UNAVAILABLE, sb_str(&why));
        break;
    }
    sb_done(&why);
    if (ok)
        return l;
    local_close(l);
    return NULL;
}

void local_close(struct local *l)
{
    if (!l)
        return;
    auth_free(l->web.auth);
    if (l->web.writer)
        writer_stop(l->web.writer);
    db_close(l->ro);
    db_close(l->db);
    explicit_bzero(l->token, sizeof l->token);
    free(l);
}

/* Status and body of an answer in CGI style. */
static int take_apart(struct sb *answer, const char **body)
{
    const char *blank = strstr(sb_str(answer), "\r\n\r\n"), *line = strstr(sb_str(answer), "Status: ");

    *body = blank ? blank + 4 : "";
    return line ? (int)strtol(line + strlen("Status: "), NULL, 10) : 200;
}

json_t *local_call(struct local *l, const char *method, const char *path, json_t *body, int *status)
{
    struct sb answer = sb_make(ANSWER_MAX);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    const char *said = "";
    int http = 0;
    json_t *j;

    if (!l->db && ask(l, method, path, text ? text : "", &answer) == FCGI_CALL_OK) {
        http = take_apart(&answer, &said);
    } else if (l->db) {
        http = web_local(&l->web, l->ro, method, path, body, &answer);
        said = sb_str(&answer);
    } else
        *status = say(EX_UNAVAILABLE, sb_str(&answer));
    j = http ? json_loads(said, 0, NULL) : NULL;
    if (http >= 400) {
        const char *why = json_string_value(json_object_get(json_object_get(j, "error"), "message"));

        *status = say(http == 404 ? EX_NOUSER : http < 500 ? EX_DATAERR : EX_UNAVAILABLE, why ? why : "refused");
        json_decref(j);
        j = NULL;
    } else if (http)
        *status = EX_OK;
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    json_decref(body);
    sb_done(&answer);
    return j;
}
