/* once.c - see once.h. */
#include "web/once.h"

#include <stdlib.h>
#include <string.h>

#include "store/record.h"

static enum weir_err read_key(struct exchange *x, const char *from_body)
{
    const char *key = x->in.idempotency_key ? x->in.idempotency_key : from_body;
    const char *param = x->in.idempotency_key ? "Idempotency-Key" : "idempotency_key";

    if (!key)
        return WEIR_OK;
    if (from_body && strcmp(key, from_body) != 0)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "idempotency_key", "The header Idempotency-Key and 'idempotency_key' differ.");
    if (strlen(key) > IDEMPOTENCY_KEY_MAX)
        return web_refuse(x, WEIR_E_OUT_OF_RANGE, param, "The key has at most %d bytes.", IDEMPOTENCY_KEY_MAX);
    if (!idempotency_key_ok(key))
        return web_refuse(x, WEIR_E_INVALID_FIELD, param, "The key is made of letters, digits, '-', '_', '.' and ':'.");
    x->has_key = true;
    x->key.user_id = x->who.user_id;
    x->key.endpoint = x->in.path;
    memcpy(x->key.key, key, strlen(key) + 1);
    idempotency_digest(sb_str(&x->body), x->body.len, x->key.body);
    return WEIR_OK;
}

/* What was said then, with a header more, behind its first line. */
static void say_again(struct exchange *x, const struct idempotency_found *f)
{
    static const char replayed[] = "Idempotent-Replayed: true\r\n";
    const char *end = memchr(f->answer, '\n', f->answer_bytes);
    size_t line = end ? (size_t)(end - f->answer) + 1 : 0;

    x->out.streamed = true;          /* nothing of x->out is sent */
    if (web_reply(x, f->answer, line) && web_reply(x, replayed, sizeof replayed - 1))
        (void)web_reply(x, f->answer + line, f->answer_bytes - line);
}

/* Which request the refusal is about. */
static void name_request(struct exchange *x, const char *member, const struct idempotency_found *f)
{
    struct sb extra = sb_make(256);

    json_text(&extra, member, f->request_id);
    free(x->error_extra);
    x->error_extra = sb_take(&extra);
    sb_done(&extra);
}

enum weir_err once_check(struct exchange *x, const char *from_body, bool *answered)
{
    struct idempotency_found f;
    enum weir_err e = read_key(x, from_body);

    *answered = false;
    if (e || !x->has_key)
        return e;
    e = idempotency_find(x->db, &x->key, x->arrived_ms, &f);
    if (e)
        return web_refuse(x, e, NULL, NULL);
    if (f.state != IDEMPOTENCY_FREE && f.other_body)
        return web_refuse(x, WEIR_E_IDEMPOTENCY_MISMATCH, NULL, NULL);
    switch (f.state) {
    case IDEMPOTENCY_FREE:
        return WEIR_OK;
    case IDEMPOTENCY_RUNNING:
        name_request(x, "running_request_id", &f);
        return web_refuse(x, WEIR_E_IDEMPOTENCY_RUNNING, NULL, NULL);
    case IDEMPOTENCY_ANSWERED:
        say_again(x, &f);
        free(f.answer);
        *answered = true;
        return WEIR_OK;
    case IDEMPOTENCY_UNKEPT:
        name_request(x, "first_request_id", &f);
        return web_refuse(x, WEIR_E_GONE, NULL, "The first request with this idempotency key was answered, and its answer is not kept. "
                          "Send it again with a new key.");
    case IDEMPOTENCY_INTERRUPTED:
        break;
    }
    name_request(x, "first_request_id", &f);
    return web_refuse(x, WEIR_E_INTERRUPTED, NULL, NULL);
}
