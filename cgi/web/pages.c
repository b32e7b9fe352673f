/* pages.c - see pages.h. */
#include "web/pages.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "store/account.h"

enum { COOKIE_MAX = 16, BOOT_MAX = 4096, USER_MAX = 64 * 1024 };

/* The value of one of our cookies if it is one of two words, else "". */
static const char *choice(const struct http_request *in, const char *cookie, const char *a, const char *b)
{
    char value[COOKIE_MAX];

    if (!http_cookie(in, cookie, value, sizeof value))
        return "";
    return strcmp(value, a) == 0 ? a : strcmp(value, b) == 0 ? b : "";
}

struct zone pages_zone(const struct exchange *x)
{
    char name[ZONE_NAME_SIZE];
    struct zone z;

    return http_cookie(&x->in, "weir_tz", name, sizeof name) && zone_load(name, &z) ? z : zone_utc();
}

/* The page's boot data. sb_json writes < as \u003c, so the text may stand in a script element. */
static json_t *boot_text(const struct exchange *x, const char *session_id)
{
    struct sb b = sb_make(BOOT_MAX);

    sb_puts(&b, "{\"csrf_token\":");
    sb_json(&b, x->who.csrf);
    if (x->who.user_id[0]) {
        sb_puts(&b, ",\"user\":{\"user_id\":");
        sb_json(&b, x->who.user_id);
        sb_puts(&b, ",\"name\":");
        sb_json(&b, x->who.name);
        sb_puts(&b, ",\"role\":");
        sb_json(&b, role_name(x->who.role));
        sb_puts(&b, "}");
    }
    if (session_id) {
        sb_puts(&b, ",\"contact\":");
        sb_json(&b, x->web->settings->pages.contact);
        sb_puts(&b, ",\"session_id\":");
        sb_json(&b, session_id);
    }
    sb_puts(&b, "}");
    json_t *text = json_string(sb_ok(&b) ? sb_str(&b) : "{}");
    sb_done(&b);
    return text;
}

json_t *pages_context(struct exchange *x, const char *title, const char *tab, const char *session_id)
{
    char at[32];
    const char *theme = choice(&x->in, "weir_theme", "light", "dark");
    json_t *ctx = json_pack("{s:s, s:s, s:s, s:o}", "title", title, "theme", theme, "metrics_mode", choice(&x->in, "weir_metrics", "short", "off"),
                            "boot", boot_text(x, session_id));

    (void)snprintf(at, sizeof at, "is_%s", theme);
    json_object_set_new(ctx, at, json_true());
    if (x->who.user_id[0])
        json_object_set_new(ctx, "user", json_pack("{s:s, s:s}", "name", x->who.name, "role", role_name(x->who.role)));
    if (tab) {
        snprintf(at, sizeof at, "at_%s", tab);
        json_object_set_new(ctx, at, json_true());
    }
    return ctx;
}

json_t *pages_parse(enum weir_err e, struct sb *text)
{
    json_error_t why;
    json_t *value = NULL;

    if (e == WEIR_OK && sb_ok(text)) {
        value = json_loads(sb_str(text), JSON_DECODE_ANY, &why);
        if (!value)
            log_error("pages: a report is no JSON: %s", why.text);
    }
    sb_done(text);
    return value;
}

enum weir_err pages_answer(struct exchange *x, const char *name, json_t *ctx)
{
    enum weir_err e = page_render(x->web->pages, name, ctx, &x->out.body);

    json_decref(ctx);
    if (e != WEIR_OK || !sb_ok(&x->out.body)) {
        log_error("pages: template %s could not be filled", name);
        return WEIR_E_INTERNAL;
    }
    x->out.type = "text/html; charset=utf-8";
    return WEIR_OK;
}

json_t *pages_spoken(const char *code)
{
    char words[100];

    (void)snprintf(words, sizeof words, "%s", code);
    for (char *c = words; (c = strchr(c, '_')); c++)
        *c = ' ';
    return json_string(words);
}

json_t *pages_person(const struct exchange *x, const char *user_id)
{
    struct sb text = sb_make(USER_MAX);
    json_t *user = pages_parse(account_user_json(x->db, user_id, &text), &text);
    json_t *name = json_string(json_str(user, "name", user_id));

    json_decref(user);
    return name;
}
