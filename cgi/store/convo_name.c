/* convo_name.c - see convo_name.h. */
#include "store/convo_name.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "store/convo.h"

#define PREFIX "ses"

static void hash_name(const char *user_id, const char *name, unsigned char hash[RAND_ID_HASH])
{
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, RAND_ID_HASH);
    crypto_generichash_update(&h, (const unsigned char *)user_id, strlen(user_id) + 1);
    crypto_generichash_update(&h, (const unsigned char *)name, strlen(name));
    crypto_generichash_final(&h, hash, RAND_ID_HASH);
}

enum weir_err convo_named(struct db *ro, const char *user_id, const char *name, char id[CALL_ID_SIZE])
{
    unsigned char hash[RAND_ID_HASH];
    char from[RAND_ID_SIZE], to[RAND_ID_SIZE];
    int64_t n = 0;
    struct query q;
    enum weir_err e;

    (void)snprintf(id, CALL_ID_SIZE, "%s", name);
    if (rand_id_ms(name, PREFIX) >= 0 || convo_owned(ro, user_id, name))
        return WEIR_OK;
    hash_name(user_id, name, hash);
    rand_id_nth(from, PREFIX, hash, 0);
    rand_id_nth(to, PREFIX, hash, RAND_ID_NTH_MAX);
    q = query(ro, "SELECT session_id, deleted_ms IS NULL AND user = (SELECT id FROM users WHERE user_id = ?3) FROM sessions"
                  " WHERE session_id BETWEEN ?1 AND ?2 ORDER BY session_id DESC LIMIT 1");
    query_text(&q, from);
    query_text(&q, to);
    query_text(&q, user_id);
    if (query_row(&q))
        n = rand_id_which(query_col_text(&q, 0)) + (query_col_i64(&q, 1) ? 0 : 1);
    e = query_stop(&q);
    rand_id_nth(from, PREFIX, hash, n);
    (void)snprintf(id, CALL_ID_SIZE, "%s", from);
    return e;
}
