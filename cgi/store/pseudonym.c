/* pseudonym.c - the key of a month, kept in memory until another month's is needed. */
#include "store/pseudonym.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/keyfile.h"
#include "base/log.h"
#include "base/sb.h"

enum { DIGITS = 16, MONTH_LEN = 7 };                        /* "2026-11" */

static struct {
    char folder[4096];
} at;

void pseudonym_use(const char *folder)
{
    (void)snprintf(at.folder, sizeof at.folder, "%s", folder);
}

/* Read anew each time it is asked for: one that was removed must not live on. */
static bool load_key(int64_t at_ms, unsigned char key[KEYFILE_BYTES])
{
    struct sb month = sb_make(64), path = sb_make(sizeof at.folder + MONTH_LEN + 2), why = sb_make(8192);
    bool ok = mkdir(at.folder, 0700) == 0 || errno == EEXIST;

    sb_time(&month, at_ms);
    sb_putf(&path, "%s/%.*s", at.folder, MONTH_LEN, sb_str(&month));
    if (!ok)
        sb_putf(&why, "%s: cannot be made: %s", at.folder, strerror(errno));
    ok = ok && keyfile_load(sb_str(&path), key, &why);
    if (!ok)
        log_error("pseudonyms: %s", sb_str(&why));
    sb_done(&month);
    sb_done(&path);
    sb_done(&why);
    return ok;
}

enum weir_err pseudonym_make(const char *id, int64_t at_ms, char out[RAND_ID_SIZE])
{
    unsigned char key[KEYFILE_BYTES], mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    char hex[DIGITS + 1];

    if (!load_key(at_ms, key))
        return WEIR_E_STORAGE;
    (void)crypto_auth_hmacsha256_init(&state, key, sizeof key);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)id, strlen(id));
    (void)crypto_auth_hmacsha256_final(&state, mac);
    (void)sodium_bin2hex(hex, sizeof hex, mac, DIGITS / 2);
    (void)snprintf(out, RAND_ID_SIZE, PSEUDONYM_PREFIX "%s", hex);
    sodium_memzero(key, sizeof key);
    sodium_memzero(&state, sizeof state);
    return WEIR_OK;
}
