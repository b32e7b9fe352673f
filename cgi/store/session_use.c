/* session_use.c - the sum of a session that never reached the maximum, else call by call. */
#include "store/session_use.h"

static enum weir_err read_sum(struct db *ro, const char *session_id, int64_t *id, int64_t *tokens)
{
    struct query q = query(ro, "SELECT id, prompt + completion FROM sessions WHERE session_id = ?1");

    query_text(&q, session_id);
    *id = *tokens = 0;
    if (query_row(&q)) {
        *id = query_col_i64(&q, 0);
        *tokens = query_col_i64(&q, 1);
    }
    return query_stop(&q);
}

enum weir_err session_use_read(struct db *ro, const char *session_id, const struct session_limit *l, int64_t now_ms,
                               struct session_tokens *out)
{
    enum weir_err e;
    struct query q;
    int64_t id;

    *out = (struct session_tokens){0, 0};
    e = read_sum(ro, session_id, &id, &out->used);
    if (e || l->max <= 0 || out->used < l->max)
        return e;
    out->used = 0;
    q = query(ro, "SELECT at_ms + (queue_us + retry_us + ttft_us + writing_us) / 1000 AS ended_ms, prompt + completion"
                  " FROM events WHERE session = ?1 AND session > 0 AND state = 2 ORDER BY ended_ms, id");
    query_i64(&q, id);
    while (query_row(&q))
        session_tokens_add(out, l, query_col_i64(&q, 1), query_col_i64(&q, 0));
    session_tokens_tick(out, l, now_ms);
    return query_end(&q);
}
