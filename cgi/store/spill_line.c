/* spill_line.c - a settlement to JSON and back, by two tables: a member more is
 * a line more. The order of members is that of the tables; the checksum is over
 * every byte before it. */
#include "store/spill_line.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "store/content.h"
#include "store/content_key.h"

enum { WHAT_SIZE = 128 };

enum kind { KIND_TEXT, KIND_CHARS, KIND_I64, KIND_I64S, KIND_INT, KIND_BOOL };

struct member {
    const char *name;
    enum kind kind;
    size_t at, size;       /* size: of an array of KIND_CHARS or KIND_I64S */
};

#define OF_RECORD(kind, member) {#member, kind, offsetof(struct call_record, member), sizeof ((struct call_record *)0)->member}
#define OF_ATTEMPT(kind, member) \
    {#member, kind, offsetof(struct call_attempt, member), sizeof ((struct call_attempt *)0)->member}

/* The first lines are for people who read the file: the event's row has them already. */
static const struct member of_record[] = {
    OF_RECORD(KIND_CHARS, request_id),         OF_RECORD(KIND_CHARS, session_id),
    OF_RECORD(KIND_TEXT, user_id),             OF_RECORD(KIND_TEXT, model),
    OF_RECORD(KIND_I64, accepted_at_ms),       OF_RECORD(KIND_CHARS, message_id),
    OF_RECORD(KIND_TEXT, upstream),            OF_RECORD(KIND_I64S, held_us),
    OF_RECORD(KIND_I64, promised_ms),          OF_RECORD(KIND_I64, promised_position),
    OF_RECORD(KIND_INT, status),               OF_RECORD(KIND_TEXT, finish_reason),
    OF_RECORD(KIND_TEXT, error_code),          OF_RECORD(KIND_I64, usage.prompt),
    OF_RECORD(KIND_I64, usage.cached),         OF_RECORD(KIND_I64, usage.cache_write),
    OF_RECORD(KIND_I64, usage.cache_write_1h), OF_RECORD(KIND_I64, usage.completion),
    OF_RECORD(KIND_I64, usage.reasoning),      OF_RECORD(KIND_BOOL, estimated),
    OF_RECORD(KIND_BOOL, operation),           OF_RECORD(KIND_I64, usage.units),
    OF_RECORD(KIND_TEXT, end_metadata),
    OF_RECORD(KIND_BOOL, from_cache),          OF_RECORD(KIND_BOOL, saved_priced),
    OF_RECORD(KIND_I64, saved),
    OF_RECORD(KIND_BOOL, usage_suspect),       OF_RECORD(KIND_BOOL, cost.priced),
    OF_RECORD(KIND_I64, cost.input),           OF_RECORD(KIND_I64, cost.output),
    OF_RECORD(KIND_I64, cost.total),           OF_RECORD(KIND_I64, cost.rate_in),
    OF_RECORD(KIND_I64, cost.rate_out),        OF_RECORD(KIND_CHARS, cost.price_version),
    OF_RECORD(KIND_I64, answer_chars),         OF_RECORD(KIND_I64, queue_us),
    OF_RECORD(KIND_I64, retry_wait_us),        OF_RECORD(KIND_I64, ttft_us),
    OF_RECORD(KIND_I64, writing_us),           OF_RECORD(KIND_I64, duration_us),
    OF_RECORD(KIND_I64, ended_at_ms),          OF_RECORD(KIND_INT, attempt_count),
};
static const struct member of_attempt[] = {
    OF_ATTEMPT(KIND_TEXT, upstream),      OF_ATTEMPT(KIND_I64, started_at_ms),
    OF_ATTEMPT(KIND_I64, wait_us),        OF_ATTEMPT(KIND_I64, duration_us),
    OF_ATTEMPT(KIND_INT, http_status),    OF_ATTEMPT(KIND_TEXT, error_code),
    OF_ATTEMPT(KIND_I64, reserved_input), OF_ATTEMPT(KIND_I64, reserved_output),
    OF_ATTEMPT(KIND_CHARS, provider_request_id), OF_ATTEMPT(KIND_TEXT, model),
    OF_ATTEMPT(KIND_INT, reason),         OF_ATTEMPT(KIND_I64, usage.prompt),
    OF_ATTEMPT(KIND_I64, usage.completion), OF_ATTEMPT(KIND_BOOL, estimated),
    OF_ATTEMPT(KIND_BOOL, priced),        OF_ATTEMPT(KIND_I64, cost_in),
    OF_ATTEMPT(KIND_I64, cost_out),
};
enum { RECORD_MEMBERS = sizeof of_record / sizeof *of_record, ATTEMPT_MEMBERS = sizeof of_attempt / sizeof *of_attempt };

static const char sum_name[] = ",\"sum\":\"";
enum { SUM_NAME = sizeof sum_name - 1, SUM_DIGITS = 16, TAIL = SUM_NAME + SUM_DIGITS + 2 };     /* …"} */

_Static_assert(sizeof(enum call_status) == sizeof(int) && sizeof(enum choice) == sizeof(int) && sizeof(int32_t) == sizeof(int),
               "KIND_INT");

/* FNV-1a. */
static uint64_t checksum(const char *p, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* --- to JSON --- */

static void put_numbers(struct sb *out, const int64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sb_putc(out, i ? ',' : '[');
        sb_i64(out, v[i]);
    }
    sb_putc(out, ']');
}

static void put_members(struct sb *out, const struct member *m, size_t n, const void *from)
{
    for (size_t i = 0; i < n; i++) {
        const char *at = (const char *)from + m[i].at;

        sb_puts(out, i ? ",\"" : "\"");
        sb_puts(out, m[i].name);
        sb_puts(out, "\":");
        switch (m[i].kind) {
        case KIND_TEXT: sb_json(out, *(const char *const *)(const void *)at); break;
        case KIND_CHARS: sb_json(out, at); break;
        case KIND_I64: sb_i64(out, *(const int64_t *)(const void *)at); break;
        case KIND_I64S: put_numbers(out, (const int64_t *)(const void *)at, m[i].size / sizeof(int64_t)); break;
        case KIND_INT: sb_i64(out, *(const int *)(const void *)at); break;
        case KIND_BOOL: sb_puts(out, *(const bool *)at ? "true" : "false"); break;
        }
    }
}

/* What a sealed text is bound to. */
static void what_of(const char *request_id, const char *name, char out[WHAT_SIZE])
{
    (void)snprintf(out, WHAT_SIZE, "spill %.64s %s", request_id, name);
}

static void put_sealed(struct sb *out, const char *request_id, const char *name, const char *text, int64_t bytes)
{
    size_t size = sodium_base64_ENCODED_LEN((size_t)bytes + CONTENT_SEAL_BYTES, sodium_base64_VARIANT_ORIGINAL);
    struct sb sealed = sb_make((size_t)bytes + CONTENT_SEAL_BYTES);
    char what[WHAT_SIZE], *base64 = malloc(size);

    what_of(request_id, name, what);
    if (base64 && !content_key_seal(CONTENT_KEY_OWN, what, text, (size_t)bytes, &sealed) && sb_ok(&sealed)) {
        (void)sodium_bin2base64(base64, size, (const unsigned char *)sb_str(&sealed), sealed.len, sodium_base64_VARIANT_ORIGINAL);
        sb_putf(out, ",\"%s_sealed\":\"", name);
        sb_puts(out, base64);
        sb_putc(out, '"');
    } else
        log_error("spill: the %s of %s cannot be sealed and is left out", name, request_id);
    free(base64);
    sb_done(&sealed);
}

static void put_text(struct sb *out, const char *request_id, const char *name, const char *text, int64_t bytes)
{
    if (!text || !content_kept())
        return;
    if (content_key_set()) {
        put_sealed(out, request_id, name, text, bytes);
        return;
    }
    sb_putf(out, ",\"%s\":", name);
    sb_json_n(out, text, (size_t)bytes);
}

void spill_line_put(struct sb *out, const struct call_record *r, bool text)
{
    int attempts = r->attempt_count < CALL_ATTEMPTS_MAX ? r->attempt_count : CALL_ATTEMPTS_MAX;
    size_t from = out->len;

    sb_putc(out, '{');
    put_members(out, of_record, RECORD_MEMBERS, r);
    sb_puts(out, ",\"attempt\":[");
    for (int i = 0; i < attempts; i++) {
        sb_puts(out, i ? ",{" : "{");
        put_members(out, of_attempt, ATTEMPT_MEMBERS, &r->attempts[i]);
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
    if (text) {
        put_text(out, r->request_id, "answer", r->answer, r->answer_bytes);
        put_text(out, r->request_id, "reasoning", r->reasoning, r->reasoning_bytes);
    }
    if (sb_ok(out))
        sb_putf(out, "%s%016" PRIx64 "\"}", sum_name, checksum(out->p + from, out->len - from));
}

/* --- and back --- */

/* Gates are only ever added at the end: a line of an earlier version has fewer, one that has more is a later version's. */
static bool read_numbers(const json_t *list, int64_t *v, size_t n)
{
    if (!json_is_array(list) || json_array_size(list) > n)
        return false;
    for (size_t i = 0; i < n; i++)
        v[i] = json_integer_value(json_array_get(list, i));
    return true;
}

static bool read_members(const json_t *o, const struct member *m, size_t n, void *to)
{
    for (size_t i = 0; i < n; i++) {
        char *at = (char *)to + m[i].at;
        const json_t *v = json_object_get(o, m[i].name);

        if (!v)                              /* the line is an earlier version's */
            continue;
        switch (m[i].kind) {
        case KIND_TEXT:
            if (!json_is_string(v) && !json_is_null(v))
                return false;
            *(const char **)(void *)at = json_string_value(v);
            break;
        case KIND_CHARS:
            if (!json_is_string(v) || json_string_length(v) >= m[i].size)
                return false;
            memcpy(at, json_string_value(v), json_string_length(v) + 1);
            break;
        case KIND_I64:
            if (!json_is_integer(v))
                return false;
            *(int64_t *)(void *)at = json_integer_value(v);
            break;
        case KIND_I64S:
            if (!read_numbers(v, (int64_t *)(void *)at, m[i].size / sizeof(int64_t)))
                return false;
            break;
        case KIND_INT:
            if (!json_is_integer(v))
                return false;
            *(int *)(void *)at = (int)json_integer_value(v);
            break;
        case KIND_BOOL:
            if (!json_is_boolean(v))
                return false;
            *(bool *)at = json_is_true(v);
            break;
        }
    }
    return true;
}

/* A sealed one becomes *opened; without its key there is none. */
static const char *read_text(const json_t *o, const char *request_id, const char *name, int64_t *bytes, char **opened)
{
    const json_t *v = json_object_get(o, name);
    char member[32], what[WHAT_SIZE];
    unsigned char *sealed;
    size_t n = 0, most;

    (void)snprintf(member, sizeof member, "%s_sealed", name);
    *bytes = (int64_t)json_string_length(v);
    if (v || !(v = json_object_get(o, member)))
        return json_string_value(v);
    most = json_string_length(v);
    sealed = malloc(most + 1);
    what_of(request_id, name, what);
    if (!sealed || sodium_base642bin(sealed, most, json_string_value(v), most, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        content_key_open(CONTENT_KEY_OWN, what, sealed, n, opened, &n) || !*opened) {
        log_error("spill: the %s of %s cannot be opened and is left out", name, request_id);
        n = 0;
    }
    free(sealed);
    *bytes = *opened ? (int64_t)n : 0;
    return *opened;
}

static bool read_record(const json_t *o, struct call_record *r, char *opened[2])
{
    const json_t *attempt = json_object_get(o, "attempt"), *a;
    size_t i;

    memset(r, 0, sizeof *r);
    if (!read_members(o, of_record, RECORD_MEMBERS, r) || json_array_size(attempt) > CALL_ATTEMPTS_MAX)
        return false;
    json_array_foreach(attempt, i, a) {
        if (!read_members(a, of_attempt, ATTEMPT_MEMBERS, &r->attempts[i]))
            return false;
    }
    r->answer = read_text(o, r->request_id, "answer", &r->answer_bytes, &opened[0]);
    r->reasoning = read_text(o, r->request_id, "reasoning", &r->reasoning_bytes, &opened[1]);
    return r->attempt_count >= 0 && (r->attempt_count > CALL_ATTEMPTS_MAX || (size_t)r->attempt_count == i);
}

bool spill_line_read(const char *line, size_t n, struct spill_line *l)
{
    char sum[SUM_DIGITS + 1];

    if (n <= TAIL || memcmp(line + n - TAIL, sum_name, SUM_NAME) != 0)
        return false;
    (void)snprintf(sum, sizeof sum, "%016" PRIx64, checksum(line, n - TAIL));
    if (memcmp(line + n - TAIL + SUM_NAME, sum, SUM_DIGITS) != 0)
        return false;
    l->opened[0] = l->opened[1] = NULL;
    l->json = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
    if (l->json && read_record(l->json, &l->rec, l->opened))
        return true;
    spill_line_done(l);
    return false;
}

void spill_line_done(struct spill_line *l)
{
    json_decref(l->json);
    l->json = NULL;
    for (int i = 0; i < 2; i++) {
        free(l->opened[i]);
        l->opened[i] = NULL;
    }
}
