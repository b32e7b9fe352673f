/* cmd_person.c - weir user export|erase: all that is kept of one person, into files or out of the database. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/clock.h"
#include "flow/erasure.h"
#include "flow/retention.h"
#include "web/store_keys.h"
#include "web/cmd.h"
#include "web/cmd_config.h"
#include "web/copies.h"
#include "web/local.h"

static const char usage[] =
    "usage: weir user export USER --output DIR\n"
    "       weir user erase USER --yes\n\n"
    "USER is an id or a name. `export` writes person.json, usage.csv and messages.csv into DIR, which is made, also while Weir\n"
    "runs. `erase` takes out what that person wrote and was answered, titles, tokens, sign-ins and names; the numbers of the\n"
    "ledger stay under a pseudonym. It needs the database for itself: while Weir runs, use DELETE /admin/users/{id}/data.\n";

struct asked {
    const char *verb, *who, *output;
    bool yes;
};

static bool take_words(struct asked *a, int argc, char **argv)
{
    if (argc < 2)
        return false;
    *a = (struct asked){.verb = argv[0], .who = argv[1]};
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--output") == 0 && i + 1 < argc)
            a->output = argv[++i];
        else if (strcmp(argv[i], "--yes") == 0)
            a->yes = true;
        else
            return false;
    }
    return (strcmp(a->verb, "export") == 0 && a->output && !a->yes) || (strcmp(a->verb, "erase") == 0 && !a->output);
}

static int fail(int status, const char *why)
{
    fprintf(stderr, "weir: %s\n", why);
    return status;
}

static int no_such_user(const char *who, enum weir_err e)
{
    if (e != WEIR_E_NOT_FOUND)
        return fail(EX_IOERR, err_text(e));
    fprintf(stderr, "weir: there is no user '%.100s'.\n", who);
    return EX_NOUSER;
}

/* --- export --- */

static bool write_out(struct sb *out, void *ctx)
{
    bool ok = fwrite(sb_str(out), 1, out->len, ctx) == out->len;

    sb_reset(out);
    return ok;
}

static int write_file(struct db *ro, const struct person *p, enum person_form form, const char *dir, const char *name)
{
    struct sb path = sb_make(8192), text = sb_make(64 << 20);
    int status = EX_CANTCREAT;
    FILE *f;

    sb_putf(&path, "%s/%s", dir, name);
    f = fopen(sb_str(&path), "wxe");
    if (!f) {
        fprintf(stderr, "weir: %s: %s\n", sb_str(&path), strerror(errno));
    } else {
        bool ok = person_export(ro, p, form, &text, write_out, f) == WEIR_OK;

        status = fclose(f) == 0 && ok ? EX_OK : fail(EX_IOERR, "it could not be written whole");
    }
    sb_done(&path);
    sb_done(&text);
    return status;
}

/* Into the audit log first: of the Weir that runs, or else of the database. */
static int note_export(const struct settings *s, const struct person *p)
{
    struct sb path = sb_make(256);
    int status;
    struct local *l = local_open(s, &status);

    sb_putf(&path, "/admin/users/%s/export", p->user_id);
    if (l)
        json_decref(local_call(l, "POST", sb_str(&path), json_object(), &status));
    local_close(l);
    sb_done(&path);
    return status;
}

static int export(const struct asked *a, const struct settings *s, const char *file)
{
    char why[DB_WHY_SIZE];
    struct person p;
    struct db *ro;
    int status;
    enum weir_err e;

    if (db_open_reader(file, &ro, why))
        return fail(EX_IOERR, why);
    e = person_find(ro, a->who, &p);
    if (e) {
        status = no_such_user(a->who, e);
    } else if (mkdir(a->output, 0700) < 0 && errno != EEXIST) {
        fprintf(stderr, "weir: %s: %s\n", a->output, strerror(errno));
        status = EX_CANTCREAT;
    } else if (!(status = note_export(s, &p)) && !(status = write_file(ro, &p, PERSON_JSON, a->output, "person.json"))
               && !(status = write_file(ro, &p, PERSON_USAGE_CSV, a->output, "usage.csv"))
               && !(status = write_file(ro, &p, PERSON_MESSAGES_CSV, a->output, "messages.csv"))) {
        printf("%s has all that is kept of %s.\n", a->output, p.user_id);
    }
    db_close(ro);
    return status;
}

/* --- erase --- */

static int erase_with(struct writer *w, struct db *db, const struct asked *a, const char *state)
{
    struct sb copies = sb_make(8192);
    struct person_gone gone = {.sessions = 0};
    struct person p;
    struct audit_entry entry = {.at_ms = clock_utc_ms(), .actor = "weir user", .action = "person.erase", .object = p.user_id, .detail = "{}"};
    enum weir_err e = person_find(db, a->who, &p);
    int status = EX_OK;

    if (e)
        status = no_such_user(a->who, e);
    else if (!a->yes)
        printf("This would erase %s for good; say --yes to do it.\n", p.user_id), status = EX_USAGE;
    else if ((e = erasure_begin(w, &p, &entry, &gone)) == WEIR_E_CONFLICT)
        status = fail(EX_NOPERM, "this is the last administrator; make another one first.");
    else if (e || (e = erasure_finish(w, &p, &gone)))
        status = fail(EX_IOERR, err_text(e));
    else if (retention_clean(w, INT64_MAX) != CLEANED)
        status = fail(EX_TEMPFAIL, "it is erased, but the file could not be written anew (is there room for it twice, does somebody read it?); "
                      "say it again with the name it has now, to have that done.");
    if (!status) {
        printf("Erased: %" PRId64 " sessions with %" PRId64 " texts, %" PRId64 " tokens.\n", gone.sessions, gone.texts, gone.tokens);
        copies_json(state, &copies);
        printf("Backups made before still have it, as have these beside the database: %s.\n", sb_str(&copies));
    }
    sb_done(&copies);
    return status;
}

static int erase(const struct asked *a, const char *file, const char *state)
{
    struct sb text = sb_make(8192);
    char why[DB_WHY_SIZE];
    struct writer *w;
    struct db *db;
    int status;

    if (db_open(file, &db, why)) {
        fprintf(stderr, "weir: %s\nWhile Weir runs, DELETE /admin/users/{id}/data does it.\n", why);
        return EX_TEMPFAIL;
    }
    if (!audit_key_load(state, db, &text)) {
        status = fail(EXIT_CONFIG, sb_str(&text));
    } else if (!(w = writer_start(db))) {
        status = EX_OSERR;
    } else {
        status = erase_with(w, db, a, state);
        writer_stop(w);
    }
    db_close(db);
    sb_done(&text);
    return status;
}

int cmd_person(int argc, char **argv)
{
    struct sb text = sb_make(8192), file = sb_make(8192);
    struct settings *s = NULL;
    struct asked a;
    int status = EX_USAGE;

    if (!take_words(&a, argc, argv)) {
        fputs(usage, stderr);
        goto out;
    }
    (void)umask(0077);
    s = settings_load(NULL, &text);
    if (!s || !content_key_load(s, &text)) {
        status = fail(EXIT_CONFIG, sb_str(&text));
        goto out;
    }
    sb_putf(&file, "%s/weir.db", s->state);
    status = strcmp(a.verb, "export") == 0 ? export(&a, s, sb_str(&file)) : erase(&a, sb_str(&file), s->state);
out:
    settings_free(s);
    sb_done(&text);
    sb_done(&file);
    return status;
}
