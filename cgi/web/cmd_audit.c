/* cmd_audit.c - weir audit verify: is the audit log what Weir wrote? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "store/audit.h"
#include "web/store_keys.h"
#include "web/cmd.h"
#include "web/cmd_config.h"

static const char usage[] =
    "usage: weir audit verify [--json] [--anchor SEQ:MAC]\n\n"
    "Makes the MAC of every row of the audit log anew and names the first that does not fit; exit status 0 if the log is\n"
    "whole, 65 if not. Also while Weir runs.\n\n"
    "  --anchor   what a line \"audit: head SEQ:MAC\" of Weir's log said, so that a log cut off since is found too\n"
    "  --json     for programs\n";

struct asked {
    bool json, has_anchor;
    struct audit_head anchor;
};

static bool take_words(struct asked *a, int argc, char **argv)
{
    if (argc < 1 || strcmp(argv[0], "verify") != 0)
        return false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            a->json = true;
        else if (strcmp(argv[i], "--anchor") == 0 && i + 1 < argc && audit_head_parse(argv[i + 1], &a->anchor))
            a->has_anchor = true, i++;
        else
            return false;
    }
    return true;
}

static void print(const struct asked *a, const struct audit_found *f, const struct audit_head *head)
{
    char text[AUDIT_HEAD_SIZE];

    audit_head_text(head, text);
    if (a->json) {
        printf("{\"ok\":%s,\"rows\":%" PRId64 ",\"pruned_up_to\":%" PRId64 ",\"first_bad\":", f->bad ? "false" : "true", f->rows, f->pruned);
        if (f->bad)
            printf("%" PRId64 ",\"why\":\"%s\"", f->bad, f->why);
        else
            printf("null,\"why\":null,\"head\":\"%s\"", text);
        puts("}");
    } else if (f->bad) {
        printf("Row %" PRId64 " of the audit log: %s.\n", f->bad, f->why);
    } else {
        printf("The audit log is whole: %" PRId64 " rows.\n", f->rows);
        if (f->pruned)
            printf("Retention took out what came before, up to row %" PRId64 ", and signed for it.\n", f->pruned);
        if (head->seq)
            printf("Its head is %s.\n", text);
    }
}

int cmd_audit(int argc, char **argv)
{
    struct asked a = {.json = false};
    struct sb text = sb_make(8192), path = sb_make(8192);
    struct settings *s = NULL;
    struct audit_head head = {0};
    struct audit_found found = {0};
    struct db *db = NULL;
    char why[DB_WHY_SIZE] = "The audit log cannot be read.";
    int status = EXIT_CONFIG;

    if (!take_words(&a, argc, argv)) {
        status = cmd_usage(argc, argv, usage);
        goto out;
    }
    s = settings_load(NULL, &text);
    if (!s || !audit_key_load(s->state, NULL, &text)) {
        fprintf(stderr, "weir: %s\n", sb_str(&text));
        goto out;
    }
    status = EX_IOERR;
    sb_putf(&path, "%s/weir.db", s->state);
    if (db_open_reader(sb_str(&path), &db, why) || audit_head(db, &head)
        || audit_verify(db, a.has_anchor ? &a.anchor : NULL, &found)) {
        fprintf(stderr, "weir: %s\n", why);
        goto out;
    }
    print(&a, &found, &head);
    status = found.bad ? EX_DATAERR : EX_OK;
out:
    db_close(db);
    settings_free(s);
    sb_done(&text);
    sb_done(&path);
    return status;
}
