/* ask.c - a table for the members, and the few rules that join them. */
#include "web/ask.h"

#include <stdio.h>
#include <string.h>

#include "base/sb.h"
#include "store/usage.h"

enum { TEXT_MAX = 64 * 1024 * 1024 };      /* the body's own limit is smaller */

struct raw {
    struct chat_ask a;
    const char *priority, *on_disconnect;
};

static const struct field fields[] = {
    {"message", FIELD_TEXT, offsetof(struct raw, a.message), 0, TEXT_MAX, false},
    {"messages", FIELD_LIST, offsetof(struct raw, a.messages), 0, ASK_MESSAGES_MAX, false},
    {"parent_id", FIELD_TEXT, offsetof(struct raw, a.parent_id), 1, RAND_ID_SIZE - 1, false},
    {"session_id", FIELD_TEXT, offsetof(struct raw, a.session_id), 1, CALL_ID_SIZE - 1, false},
    {"model", FIELD_TEXT, offsetof(struct raw, a.model), 1, 127, false},
    {"priority", FIELD_TEXT, offsetof(struct raw, priority), 0, TEXT_MAX, false},
    {"system", FIELD_TEXT, offsetof(struct raw, a.system), 0, TEXT_MAX, false},
    {"max_tokens", FIELD_INT, offsetof(struct raw, a.max_tokens), 1, ASK_MAX_TOKENS_MAX, false},
    {"temperature", FIELD_NUMBER, offsetof(struct raw, a.temperature), 0, 2000, false},
    {"top_p", FIELD_NUMBER, offsetof(struct raw, a.top_p), 0, 1000, false},
    {"stop", FIELD_ANY, offsetof(struct raw, a.stop), 0, 0, false},
    {"idempotency_key", FIELD_TEXT, offsetof(struct raw, a.idempotency_key), 1, 255, false},
    {"metadata", FIELD_OBJECT, offsetof(struct raw, a.metadata), 0, ASK_METADATA_MAX, false},
    {"cache", FIELD_BOOL, offsetof(struct raw, a.cache), 0, 0, false},
    {"on_disconnect", FIELD_TEXT, offsetof(struct raw, on_disconnect), 0, TEXT_MAX, false},
};

struct turn {
    const char *role, *content;
};

static const struct field turn_fields[] = {
    {"role", FIELD_TEXT, offsetof(struct turn, role), 0, TEXT_MAX, true},
    {"content", FIELD_TEXT, offsetof(struct turn, content), 0, TEXT_MAX, true},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static enum weir_err fail(struct field_fault *f, enum weir_err e, const char *param, const char *why)
{
    (void)snprintf(f->param, sizeof f->param, "%s", param);
    (void)snprintf(f->why, sizeof f->why, "%s", why);
    return e;
}

static bool is_blank(const char *s)
{
    return s[strspn(s, " \t\r\n\v\f")] == '\0';
}

static enum weir_err check_messages(const json_t *messages, struct field_fault *f)
{
    size_t n = json_array_size(messages);
    char prefix[64];

    if (n == 0)
        return fail(f, WEIR_E_INVALID_FIELD, "messages", "'messages' is empty; send at least the user's message.");
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(messages, i);
        struct turn t = {NULL, NULL};
        enum weir_err e;

        (void)snprintf(prefix, sizeof prefix, "messages[%zu]", i);
        if (!json_is_object(m))
            return fail(f, WEIR_E_INVALID_FIELD, prefix, "Each of 'messages' must be an object with 'role' and 'content'.");
        (void)snprintf(prefix, sizeof prefix, "messages[%zu].", i);
        e = field_read(m, turn_fields, COUNT(turn_fields), prefix, &t, f);
        if (e)
            return e;
        if (strcmp(t.role, "user") != 0 && strcmp(t.role, "assistant") != 0 && strcmp(t.role, "system") != 0) {
            (void)snprintf(prefix, sizeof prefix, "messages[%zu].role", i);
            return fail(f, WEIR_E_INVALID_FIELD, prefix, "'role' must be \"user\", \"assistant\" or \"system\".");
        }
        if (i == n - 1 && (strcmp(t.role, "user") != 0 || is_blank(t.content))) {
            bool role = strcmp(t.role, "user") != 0;

            (void)snprintf(prefix, sizeof prefix, "messages[%zu].%s", i, role ? "role" : "content");
            return fail(f, WEIR_E_INVALID_FIELD, prefix,
                        role ? "The last of 'messages' must be the user's." : "The last message is blank.");
        }
    }
    return WEIR_OK;
}

static enum weir_err check_text(const struct chat_ask *a, struct field_fault *f)
{
    if (a->message && a->messages)
        return fail(f, WEIR_E_INVALID_FIELD, "messages", "Send either 'message' or 'messages', not both.");
    if (a->parent_id && (!a->session_id || a->messages))
        return fail(f, WEIR_E_INVALID_FIELD, "parent_id", "'parent_id' names a message of 'session_id', and goes with 'message' or with neither.");
    if (!a->message && !a->messages && a->parent_id)
        return WEIR_OK;
    if (!a->message && !a->messages)
        return fail(f, WEIR_E_MISSING_FIELD, "message", "Send 'message', or 'messages' if you keep the history yourself.");
    if (a->message)
        return is_blank(a->message) ? fail(f, WEIR_E_INVALID_FIELD, "message", "The message is blank.") : WEIR_OK;
    return check_messages(a->messages, f);
}

static enum weir_err check_stop(const json_t *stop, struct field_fault *f)
{
    bool ok = !stop || json_is_string(stop) || (json_is_array(stop) && json_array_size(stop) <= 4);

    for (size_t i = 0; ok && i < json_array_size(stop); i++)
        ok = json_is_string(json_array_get(stop, i));
    return ok ? WEIR_OK : fail(f, WEIR_E_INVALID_FIELD, "stop", "'stop' must be a text or a list of at most four texts.");
}

/* A name begins with a letter, so that none means something to a script that reads it. */
static bool name_fits(const char *s)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    return *s && strchr(letters, *s) && strspn(s, rest) == strlen(s) && strlen(s) <= 64;
}

enum weir_err ask_check_metadata(const json_t *metadata, struct field_fault *f)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)metadata, key, v) {
        bool value_fits = json_is_string(v) ? json_string_length(v) <= 512 : json_is_number(v) || json_is_boolean(v);

        if (name_fits(key) && value_fits)
            continue;
        (void)fail(f, WEIR_E_INVALID_FIELD, "", "A name in 'metadata' has at most 64 of A-Z a-z 0-9 _ . - and begins with a "
                   "letter; its value is a text of at most 512 bytes, a number, true or false.");
        (void)snprintf(f->param, sizeof f->param, "metadata.%.60s", key);
        return WEIR_E_INVALID_FIELD;
    }
    return WEIR_OK;
}

enum weir_err ask_read(const json_t *body, struct chat_ask *out, struct field_fault *fault)
{
    struct raw r = {.a = {.priority = PRIORITY_MEDIUM, .cache = -1}};
    enum weir_err e = field_read(body, fields, COUNT(fields), "", &r, fault);

    if (e || (e = check_text(&r.a, fault)) || (e = check_stop(r.a.stop, fault)) || (e = ask_check_metadata(r.a.metadata, fault)))
        return e;
    if (r.priority && !priority_parse(r.priority, &r.a.priority))
        return fail(fault, WEIR_E_INVALID_FIELD, "priority", "'priority' must be \"Low\", \"Medium\" or \"High\".");
    r.a.keep = r.on_disconnect && strcmp(r.on_disconnect, "keep") == 0;
    if (r.on_disconnect && !r.a.keep && strcmp(r.on_disconnect, "cancel") != 0)
        return fail(fault, WEIR_E_INVALID_FIELD, "on_disconnect", "'on_disconnect' must be \"keep\" or \"cancel\".");
    *out = r.a;
    return WEIR_OK;
}
