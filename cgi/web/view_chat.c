/* view_chat.c - see view_chat.h. */
#include "web/view_chat.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "store/report.h"
#include "web/view.h"

static const char not_kept[] = "(The text of this message is not kept.)";
static const int64_t day_ms = INT64_C(86400000);

/* The heading a session stands under; days are UTC. */
static const char *day_of(const json_t *session, int64_t now_ms)
{
    int64_t at_ms, today_ms = now_ms - now_ms % day_ms;

    if (json_is_true(json_object_get(session, "pinned")))
        return "Pinned";
    if (!report_time_parse(json_str(session, "updated_at", ""), now_ms, &at_ms))
        return "Earlier";
    if (at_ms >= today_ms)
        return "Today";
    if (at_ms >= today_ms - day_ms)
        return "Yesterday";
    if (at_ms >= today_ms - 7 * day_ms)
        return "Last 7 days";
    return at_ms >= today_ms - 30 * day_ms ? "Last 30 days" : "Earlier";
}

json_t *view_sessions(const json_t *items, const char *current, int64_t now_ms)
{
    json_t *groups = json_array(), *rows = NULL, *s;
    const char *day = "";
    size_t i;

    json_array_foreach((json_t *)items, i, s) {
        const char *id = json_str(s, "session_id", ""), *its_day = day_of(s, now_ms);

        if (strcmp(day, its_day) != 0) {
            day = its_day;
            rows = json_array();
            json_array_append_new(groups, json_pack("{s:s, s:o}", "day", day, "sessions", rows));
        }
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:b, s:b}", "session_id", id, "title", json_str(s, "title", ""),
                                              "updated_at", json_str(s, "updated_at", ""), "pinned", json_is_true(json_object_get(s, "pinned")),
                                              "current", strcmp(id, current) == 0));
    }
    return groups;
}

/* How an answer ended, where that needs a word. */
static const char *chip_of(const json_t *m, const char **tone)
{
    static const struct { const char *reason, *text, *tone; } ends[] = {
        {"length", "Stopped at the output limit", ""},
        {"content_filter", "The provider’s filter ended this answer", "warn"},
        {"tool_calls", "The model asked for a tool, which the chat page does not run", ""},
        {"cancelled", "Stopped", ""},
        {"budget", "Stopped at the budget’s end", "warn"},
    };
    const char *reason = json_str(m, "finish_reason", ""), *status = json_str(m, "status", "success");

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strcmp(reason, ends[i].reason) == 0) {
            *tone = ends[i].tone;
            return ends[i].text;
        }
    if (strcmp(status, "cancelled") == 0)
        return "Stopped";
    if (strcmp(status, "success") == 0 || *status == '\0')
        return NULL;
    *tone = "err";
    return "This answer broke off";
}

/* Is there more to come of it, if it is asked for? */
static bool is_unfinished(const json_t *m, const char *tone)
{
    const char *reason = json_str(m, "finish_reason", "");

    return strcmp(reason, "length") == 0 || strcmp(reason, "cancelled") == 0 || strcmp(tone, "err") == 0;
}

/* The chip's words; at the output limit also how much came, if that is known. */
static json_t *chip_text(const json_t *m, const char *chip)
{
    double came = view_number(json_object_get(m, "usage"), "completion_tokens");
    json_t *count, *text;

    if (!chip || strcmp(json_str(m, "finish_reason", ""), "length") != 0 || isnan(came))
        return chip ? json_string(chip) : NULL;
    count = view_count(came);
    text = view_text("%s (%s)", chip, json_string_value(count));
    json_decref(count);
    return text;
}

static json_t *answer(const json_t *m, bool last)
{
    const char *tone = "", *chip = chip_of(m, &tone);
    json_t *metrics = view_metrics(m);

    return json_pack("{s:b, s:b, s:s, s:s, s:s, s:o*, s:s, s:b, s:o*}", "is_user", false, "unfinished",
                     last && chip && *json_str(m, "content", "") && is_unfinished(m, tone), "content", json_str(m, "content", not_kept),
                     "model", json_str(m, "model", "Answer"), "request_id", json_str(m, "request_id", ""), "chip", chip_text(m, chip),
                     "chip_tone", tone, "has_metrics", metrics != NULL, "metrics", metrics);
}

/* Which of several versions this is: {at, of, before, after}, the two ids where there is one to go to; NULL: the only one. */
static json_t *versions(const json_t *m)
{
    const json_t *all = json_object_get(m, "siblings");
    const char *id = json_str(m, "message_id", "");
    size_t n = json_array_size(all), i = 0;

    while (i < n && strcmp(json_string_value(json_array_get(all, i)), id) != 0)
        i++;
    if (n < 2 || i == n)
        return NULL;
    return json_pack("{s:i, s:i, s:s*, s:s*}", "at", (int)i + 1, "of", (int)n,
                     "before", i > 0 ? json_string_value(json_array_get(all, i - 1)) : NULL,
                     "after", i + 1 < n ? json_string_value(json_array_get(all, i + 1)) : NULL);
}

json_t *view_messages(const json_t *items)
{
    json_t *list = json_array(), *m;
    size_t i;

    json_array_foreach((json_t *)items, i, m) {
        const char *role = json_str(m, "role", "");
        json_t *one;

        if (strcmp(role, "user") == 0)
            one = json_pack("{s:b, s:s}", "is_user", true, "content", json_str(m, "content", not_kept));
        else if (strcmp(role, "assistant") == 0)
            one = answer(m, i + 1 == json_array_size(items));
        else
            continue;
        json_object_set_new(one, "message_id", json_string(json_str(m, "message_id", "")));
        json_object_set_new(one, "parent_id", json_string(json_str(m, "parent_id", "root")));
        json_object_set_new(one, "reasoning", json_string(json_str(m, "reasoning", "")));
        json_object_set_new(one, "versions", versions(m));
        json_object_set_new(one, "at", json_string(json_str(m, "at", "")));
        json_object_set_new(one, "at_text", view_time(json_object_get(m, "at"), VIEW_MINUTE));
        json_array_append_new(list, one);
    }
    return list;
}

/* "gpt-4o-mini · $0.15 / $0.60": dollars for a million tokens in and out. */
static json_t *model_label(const char *id, const struct upstream_settings *u, const struct price_table *prices)
{
    enum price_match match = PRICE_NONE;
    const struct price *p = price_find(prices, price_provider(prices, u ? u->name : NULL, u ? u->base_url : NULL), id, &match);

    if (u && u->protocol == PROTOCOL_BUILTIN)
        return view_text("%.80s · free", id);
    if (strcmp(id, MODEL_AUTO) == 0)
        return view_text("%.80s · the cheapest that is ready", id);
    if (!p)
        return view_text("%.80s", id);
    if (price_is_free(p))
        return view_text("%.80s · free", id);
    return view_text("%.80s · $%.2f / $%.2f", id, (double)p->tier[0].in / 1e6, (double)p->tier[0].out / 1e6);
}

json_t *view_models(const json_t *models, const char *standard, const struct settings *settings, const struct price_table *prices)
{
    json_t *list = json_array(), *m;
    size_t i;

    json_array_foreach((json_t *)models, i, m) {
        const char *id = json_str(m, "id", ""), *upstream = json_str(m, "upstream", "");

        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:b, s:b}", "id", id, "name", id, "upstream", upstream,
                                              "label", model_label(id, settings_upstream(settings, upstream), prices),
                                              "selected", strcmp(id, standard) == 0,
                                              "down", json_is_false(json_object_get(m, "healthy"))));
    }
    return list;
}
