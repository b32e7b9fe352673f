/* store_keys.c - a new key goes by the name audit-key.new until the rows from before it are sealed: what is signed under
 * audit-key is never sealed again, so that nobody can slip in unsigned rows. */
#include "web/store_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/keyfile.h"
#include "store/audit.h"
#include "store/content_key.h"

static bool load(const char *path, struct sb *why)
{
    unsigned char key[KEYFILE_BYTES];
    bool ok = keyfile_load(path, key, why);

    if (ok)
        audit_set_key(key);
    explicit_bzero(key, sizeof key);
    return ok;
}

static bool seal(struct db *db, struct sb *why)
{
    enum weir_err e = db_begin(db);

    if (!e && (e = audit_seal(db, clock_utc_ms())))
        db_rollback(db);
    else if (!e)
        e = db_commit(db);
    if (e)
        sb_putf(why, "The audit log cannot be sealed: %s", err_text(e));
    return !e;
}

bool audit_key_load(const char *state, struct db *db, struct sb *why)
{
    struct sb path = sb_make(4096), fresh = sb_make(4096);
    bool ok = false;

    sb_putf(&path, "%s/audit-key", state);
    sb_putf(&fresh, "%s.new", sb_str(&path));
    if (access(sb_str(&path), F_OK) == 0) {
        ok = load(sb_str(&path), why);
    } else if (!db) {
        sb_putf(why, "%s: %s; without the key the audit log cannot be checked", sb_str(&path), strerror(errno));
    } else if (load(sb_str(&fresh), why) && seal(db, why)) {
        ok = rename(sb_str(&fresh), sb_str(&path)) == 0;
        if (!ok)
            sb_putf(why, "%s cannot be renamed: %s", sb_str(&fresh), strerror(errno));
    }
    sb_done(&path);
    sb_done(&fresh);
    return ok;
}

bool content_key_load(const struct settings *s, struct sb *why)
{
    struct sb folder = sb_make(4096);
    unsigned char key[KEYFILE_BYTES];
    bool ok;

    sb_putf(&folder, "%s/content-keys", s->state);
    if (s->content_key_file) {
        ok = keyfile_load(s->content_key_file, key, why) && content_key_use(sb_str(&folder), key, why);
        explicit_bzero(key, sizeof key);
    } else {
        ok = access(sb_str(&folder), F_OK) != 0;
        if (!ok)
            sb_putf(why, "%s has keys of encrypted text, but content.key_file is not set; set it, or remove that folder and with it all such text",
                    sb_str(&folder));
    }
    sb_done(&folder);
    return ok;
}
