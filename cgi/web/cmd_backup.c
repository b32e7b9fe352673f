/* cmd_backup.c - weir backup FILE. */
#include <stdio.h>
#include <sysexits.h>

#include "base/settings.h"
#include "store/db.h"
#include "web/cmd.h"
#include "web/cmd_config.h"

int cmd_backup(int argc, char **argv)
{
    struct sb text = sb_make(8192);
    struct settings *s = NULL;
    struct db *db = NULL;
    char why[DB_WHY_SIZE];
    int status = EXIT_CONFIG;

    if (argc != 1 || argv[0][0] == '-')
        return cmd_usage(argc, argv, "usage: weir backup FILE\n\nCopies the database to FILE, which must not be there, and checks the copy. Weir may run.\n");
    s = settings_load(NULL, &text);
    if (!s) {
        fprintf(stderr, "weir: %s\n", sb_str(&text));
        goto out;
    }
    status = EX_IOERR;
    sb_reset(&text);
    sb_putf(&text, "%s/weir.db", s->state);
    if (db_open_reader(sb_str(&text), &db, why) || db_backup(db, argv[0], why)) {
        fprintf(stderr, "weir: %s\n", why);
        goto out;
    }
    printf("%s is a copy of %s, checked.\n", argv[0], sb_str(&text));
    status = EX_OK;
out:
    db_close(db);
    settings_free(s);
    sb_done(&text);
    return status;
}
