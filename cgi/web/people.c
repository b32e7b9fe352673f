/* people.c - see people.h. */
#include "web/people.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/password.h"
#include "web/title.h"

static const struct field limit_fields[] = {
    {"requests_per_minute", FIELD_INT, offsetof(struct account_limits, requests_per_minute), 0, 1000 * 1000, false},
    {"tokens_per_minute", FIELD_INT, offsetof(struct account_limits, tokens_per_minute), 0, 1000 * 1000 * 1000, false},
};

enum weir_err people_rules_read(struct exchange *x, const struct people_wish *w, struct people_rules *out)
{
    struct field_fault fault = {.param = ""};
    enum priority p;
    enum weir_err e = WEIR_OK;

    *out = (struct people_rules){.max_priority = -1, .limits = {-1, -1}, .weight = -1, .text = sb_make(FILTER_JSON_MAX)};
    if (w->max_priority && !priority_parse(w->max_priority, &p))
        return web_refuse(x, WEIR_E_INVALID_FIELD, "max_priority", "'max_priority' must be \"Low\", \"Medium\" or \"High\".");
    if (w->max_priority)
        out->max_priority = (int)p;
    if (w->weight) {
        out->weight = (int32_t)lround(json_number_value(w->weight) * QUEUE_WEIGHT_ONE);
        if (out->weight != 0 && out->weight < QUEUE_WEIGHT_MIN)
            return web_refuse(x, WEIR_E_OUT_OF_RANGE, "weight", "'weight' must be a number from 0.01 to 100, or 0 for none.");
    }
    if (w->limits)
        e = field_read(w->limits, limit_fields, sizeof limit_fields / sizeof *limit_fields, "limits.", &out->limits, &fault);
    if (!e && w->filters) {
        e = filter_read(w->filters, &out->text, &fault);
        out->filters = sb_str(&out->text);
    }
    if (e)
        return web_refuse(x, e, fault.param, "%s", fault.why);
    return sb_ok(&out->text) ? WEIR_OK : web_refuse(x, WEIR_E_OUT_OF_RANGE, "filters", "The filters have more than 32 KiB.");
}

void people_rules_done(struct people_rules *r)
{
    sb_done(&r->text);
}

enum weir_err people_name(struct exchange *x, const char *wish, char out[ACCOUNT_NAME_MAX + 1])
{
    struct sb clean = sb_make(4 * ACCOUNT_NAME_MAX);
    bool same;

    title_put(&clean, wish, ACCOUNT_NAME_MAX);
    same = strcmp(sb_str(&clean), wish) == 0 && *wish;
    sb_done(&clean);
    if (!same || strlen(wish) > ACCOUNT_NAME_MAX)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "name", "'name' must be one line of 1 to %d bytes, without signs that cannot be seen and without "
                          "blanks at its ends.", ACCOUNT_NAME_MAX);
    (void)snprintf(out, ACCOUNT_NAME_MAX + 1, "%s", wish);
    return WEIR_OK;
}

enum weir_err people_password(struct exchange *x, const char *password, const char *name, char hash[PASSWORD_HASH_SIZE])
{
    const char *why = password_fault(password, name);

    if (why)
        return web_refuse(x, WEIR_E_INVALID_FIELD, "password", "%s", why);
    return password_hash(password, hash);
}

void people_changed(struct exchange *x)
{
    auth_forget(x->web->auth);
}

void people_end(struct exchange *x, const char *user_id, const char *token_id)
{
    auth_forget(x->web->auth);
    if (x->web->engine)
        engine_end_access(x->web->engine, user_id, token_id);
}
