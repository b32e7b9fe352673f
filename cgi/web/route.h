/* route.h - every path of Weir in one table: method, pattern, who may, what body,
 * which query names, and the handler.
 *
 * A line without a permission does not compile. The router, the answer to a
 * wrong method and the permission tests are made from this table alone. Paths
 * are compared byte for byte; {id} stands for 1 to 64 of A-Z a-z 0-9 _ and -, so does {session}, which
 * may also be the owner's name of it (session.h), {rest} for whatever is left, at least one byte. */
#ifndef WEIR_ROUTE_H
#define WEIR_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "web/web.h"

/* Who may: a set of roles. */
enum perm {
    PERM_OPEN = 0,                                   /* no credential is asked for */
    PERM_USER = 1 << ROLE_USER,
    PERM_MONITOR = 1 << ROLE_MONITOR,
    PERM_ADMIN = 1 << ROLE_ADMIN,
    PERM_CHAT = PERM_USER | PERM_ADMIN,
    PERM_OPERATE = PERM_MONITOR | PERM_ADMIN,
    PERM_ALL = PERM_USER | PERM_MONITOR | PERM_ADMIN,
    PERM_FRESH = 1 << 8,                             /* in a browser only soon after signing in: auth_is_fresh() */
    PERM_ADMIN_FRESH = PERM_ADMIN | PERM_FRESH,
};

enum route_body {
    BODY_NONE,        /* none is looked at */
    BODY_JSON,        /* a JSON object */
    BODY_ROWS,        /* a JSON object with up to a thousand rows in it */
    BODY_MAYBE,       /* a JSON object, or nothing, which counts as {} */
    BODY_FORM,        /* multipart/form-data, which the handler reads */
    BODY_PAGE,        /* none; the answer is HTML: without a session it is a redirect to the sign-in page */
};

#define Q_RANGE "from to tz user_id session_id model upstream api_endpoint priority status"
#define Q_ANY NULL      /* query names are not looked at */

/*    method, pattern, who may, body, query names, handler */
#define ROUTES(X)                                                                                        \
    X(GET, "/", OPEN, NONE, Q_ANY, h_root)                                                                 \
    X(GET, "/healthz", OPEN, NONE, Q_ANY, h_healthz)                                                       \
    X(GET, "/readyz", OPEN, NONE, Q_ANY, h_readyz)                                                         \
    X(GET, "/metrics", OPERATE, NONE, Q_ANY, h_metrics)                                                    \
    X(POST, "/app/login", OPEN, JSON, "", h_login)                                                       \
    X(POST, "/app/logout", ALL, MAYBE, "", h_logout)                                                     \
    X(GET, "/app/me", ALL, NONE, "", h_me)                                                               \
    X(PATCH, "/app/me", ALL, JSON, "", h_own_change)                                                       \
    X(GET, "/app/browser-sessions", ALL, NONE, "", h_own_sessions)                                         \
    X(DELETE, "/app/browser-sessions/{id}", ALL, NONE, "", h_own_session_end)                              \
    X(GET, "/app/tokens", ALL, NONE, "state limit cursor", h_own_tokens_list)                               \
    X(POST, "/app/tokens", ALL, JSON, "", h_own_token_create)                                              \
    X(DELETE, "/app/tokens/{id}", ALL, NONE, "", h_own_token_revoke)                                       \
    X(GET, "/app/export", ALL, NONE, "", h_own_export)                                                   \
    X(GET, "/app/login", OPEN, PAGE, Q_ANY, h_page_login)                                                  \
    X(GET, "/app", ALL, PAGE, Q_ANY, h_root)                                                               \
    X(GET, "/app/", ALL, PAGE, Q_ANY, h_page_chat)                                                         \
    X(GET, "/app/c/{session}", ALL, PAGE, Q_ANY, h_page_chat)                                                   \
    X(GET, "/app/dashboard", ALL, PAGE, Q_ANY, h_page_dashboard)                                           \
    X(GET, "/app/dashboard/requests", ALL, PAGE, Q_ANY, h_page_requests)                                    \
    X(GET, "/app/dashboard/requests/{id}", ALL, PAGE, Q_ANY, h_page_request)                                \
    X(GET, "/app/dashboard/limits", ALL, PAGE, Q_ANY, h_page_limits)                                        \
    X(GET, "/app/dashboard/batches", CHAT, PAGE, Q_ANY, h_page_batches)                                     \
    X(GET, "/app/dashboard/queue", ALL, PAGE, Q_ANY, h_page_queue)                                          \
    X(GET, "/app/dashboard/budgets", ALL, PAGE, Q_ANY, h_page_budgets)                                      \
    X(GET, "/app/dashboard/cost", ALL, PAGE, Q_ANY, h_page_cost)                                            \
    X(GET, "/app/dashboard/performance", ALL, PAGE, Q_ANY, h_page_performance)                              \
    X(GET, "/app/dashboard/outlook", ALL, PAGE, Q_ANY, h_page_outlook)                                      \
    X(GET, "/app/dashboard/alerts", OPERATE, PAGE, Q_ANY, h_page_alerts)                                    \
    X(GET, "/app/dashboard/audit", ADMIN, PAGE, Q_ANY, h_page_audit)                                        \
    X(GET, "/app/settings", ALL, PAGE, Q_ANY, h_page_settings)                                             \
    X(GET, "/app/settings/own-tokens", ALL, PAGE, "", h_page_manage)                                       \
    X(GET, "/app/settings/browsers", ALL, PAGE, "", h_page_manage)                                         \
    X(GET, "/app/settings/users", ADMIN, PAGE, "", h_page_manage)                                          \
    X(GET, "/app/settings/tokens", ADMIN, PAGE, "", h_page_manage)                                         \
    X(GET, "/app/settings/budgets", ADMIN, PAGE, "", h_page_manage)                                        \
    X(GET, "/app/settings/alerts", ADMIN, PAGE, "", h_page_manage)                                         \
    X(GET, "/app/settings/webhooks", ADMIN, PAGE, "", h_page_manage)                                       \
    X(GET, "/app/settings/webhooks/{id}", ADMIN, PAGE, "", h_page_deliveries)                              \
    X(GET, "/app/settings/prices", ADMIN, PAGE, "", h_page_manage)                                         \
    X(GET, "/app/settings/price-table", ADMIN, PAGE, "", h_page_manage)                                    \
    X(GET, "/app/settings/providers", ADMIN, PAGE, "", h_page_manage)                                      \
    X(GET, "/app/settings/retention", ADMIN, PAGE, "", h_page_manage)                                      \
    X(GET, "/app/settings/audit", ADMIN, PAGE, "", h_page_manage)                                          \
    X(GET, "/app/help", ALL, PAGE, Q_ANY, h_page_help)                                                     \
    X(GET, "/app/help/metrics", ALL, PAGE, Q_ANY, h_page_help)                                             \
    X(GET, "/app/help/keys", ALL, PAGE, Q_ANY, h_page_help)                                                \
    X(POST, "/chat/complete", CHAT, JSON, "", h_chat_complete)                                           \
    X(POST, "/chat/stream", CHAT, JSON, "", h_chat_stream)                                               \
    X(GET, "/chat/stream/{id}", CHAT, NONE, "", h_chat_follow)                                           \
    X(POST, "/chat/cancel", CHAT, JSON, "", h_chat_cancel)                                               \
    X(POST, "/chat/retry", CHAT, JSON, "", h_chat_retry)                                                  \
    X(POST, "/chat/estimate", CHAT, JSON, "", h_chat_estimate)                                           \
    X(GET, "/chat/models", ALL, NONE, "", h_chat_models)                                                 \
    X(GET, "/chat/sessions", CHAT, NONE, "query before limit archived", h_sessions_list)                          \
    X(POST, "/chat/sessions", CHAT, MAYBE, "", h_session_create)                                         \
    X(GET, "/chat/sessions/{session}", CHAT, NONE, "", h_session_get)                                         \
    X(PATCH, "/chat/sessions/{session}", CHAT, JSON, "", h_session_patch)                                     \
    X(DELETE, "/chat/sessions/{session}", CHAT, NONE, "", h_session_delete)                                   \
    X(POST, "/chat/sessions/{session}/handoff", CHAT, JSON, "", h_session_handoff)                               \
    X(GET, "/chat/sessions/{session}/messages", CHAT, NONE, "leaf limit", h_session_messages)                           \
    X(DELETE, "/chat/sessions/{session}/messages/{id}", CHAT, NONE, "", h_message_delete)                     \
    X(GET, "/chat/sessions/{session}/export", CHAT, NONE, "format also", h_session_export)                         \
    X(POST, "/v1/chat/completions", CHAT, JSON, Q_ANY, h_v1_chat)                                          \
    X(POST, "/v1/embeddings", CHAT, JSON, Q_ANY, h_v1_embeddings)                                          \
    X(POST, "/v1/responses", CHAT, JSON, Q_ANY, h_v1_responses)                                            \
    X(POST, "/v1/messages", CHAT, JSON, Q_ANY, h_v1_messages)                                              \
    X(POST, "/v1/messages/count_tokens", CHAT, JSON, Q_ANY, h_v1_count_tokens)                             \
    X(GET, "/v1/models", CHAT, NONE, Q_ANY, h_v1_models)                                                   \
    X(GET, "/v1/models/{rest}", CHAT, NONE, Q_ANY, h_v1_model)                                             \
    X(POST, "/v1/files", CHAT, FORM, Q_ANY, h_file_create)                                                  \
    X(GET, "/v1/files", CHAT, NONE, Q_ANY, h_files_list)                                                    \
    X(GET, "/v1/files/{id}", CHAT, NONE, Q_ANY, h_file_get)                                                 \
    X(DELETE, "/v1/files/{id}", CHAT, NONE, Q_ANY, h_file_delete)                                           \
    X(GET, "/v1/files/{id}/content", CHAT, NONE, Q_ANY, h_file_content)                                     \
    X(POST, "/v1/batches", CHAT, JSON, Q_ANY, h_batch_create)                                               \
    X(GET, "/v1/batches", CHAT, NONE, Q_ANY, h_batches_list)                                                \
    X(GET, "/v1/batches/{id}", CHAT, NONE, Q_ANY, h_batch_get)                                              \
    X(POST, "/v1/batches/{id}/cancel", CHAT, MAYBE, Q_ANY, h_batch_cancel)                                  \
    X(POST, "/v1/batches/{id}/pause", CHAT, MAYBE, Q_ANY, h_batch_pause)                                    \
    X(POST, "/v1/batches/{id}/resume", CHAT, MAYBE, Q_ANY, h_batch_resume)                                  \
    X(POST, "/operations/acquire", CHAT, JSON, "", h_operation_acquire)                                    \
    X(POST, "/operations/batch", CHAT, ROWS, "", h_operation_batch)                                        \
    X(POST, "/operations/{id}/settle", CHAT, JSON, "", h_operation_settle)                                 \
    X(GET, "/monitoring/token-usage", ALL, NONE, Q_RANGE " granularity", h_token_usage)                    \
    X(GET, "/monitoring/session-usage/{session}", ALL, NONE, "", h_session_usage)                             \
    X(GET, "/monitoring/queue-status", ALL, NONE, "", h_queue_status)                                    \
    X(GET, "/monitoring/rate-limits", ALL, NONE, "", h_rate_limits)                                      \
    X(GET, "/monitoring/performance", ALL, NONE, Q_RANGE, h_performance)                                   \
    X(GET, "/monitoring/cost-breakdown", ALL, NONE, Q_RANGE, h_cost_breakdown)                             \
    X(GET, "/monitoring/trend", ALL, NONE, Q_RANGE, h_trend)                                               \
    X(GET, "/monitoring/anomalies", ALL, NONE, Q_RANGE " granularity limit", h_anomalies)                  \
    X(GET, "/monitoring/forecast", ALL, NONE, Q_RANGE " horizon metric", h_forecast)                       \
    X(GET, "/monitoring/live", ALL, NONE, Q_ANY, h_live)                                                   \
    X(GET, "/monitoring/stream-test", ALL, NONE, "", h_stream_test)                                        \
    X(GET, "/monitoring/history", ALL, NONE, Q_RANGE " limit sort cursor", h_history)                      \
    X(GET, "/monitoring/export", ALL, NONE, Q_RANGE " format totals", h_export)                            \
    X(GET, "/monitoring/requests/{id}", ALL, NONE, "", h_request)                                        \
    X(POST, "/usage/events", ALL, ROWS, "", h_usage_events)                                                \
    X(POST, "/admin/reload", ADMIN, MAYBE, "", h_reload)                                                  \
    X(GET, "/admin/audit", ADMIN, NONE, "limit cursor", h_audit_list)                                      \
    X(POST, "/admin/queue/{id}/priority", ADMIN, JSON, "", h_queue_priority)                                \
    X(GET, "/admin/budgets", ADMIN, NONE, "", h_budgets_list)                                              \
    X(POST, "/admin/budgets", ADMIN_FRESH, JSON, "", h_budget_create)                                            \
    X(GET, "/admin/budgets/{id}", ADMIN, NONE, "", h_budget_get)                                           \
    X(PATCH, "/admin/budgets/{id}", ADMIN_FRESH, JSON, "", h_budget_patch)                                       \
    X(DELETE, "/admin/budgets/{id}", ADMIN_FRESH, NONE, "", h_budget_delete)                                     \
    X(GET, "/admin/alerts", ADMIN, NONE, "state limit cursor", h_alerts_list)                               \
    X(POST, "/admin/alerts", ADMIN, JSON, "", h_alert_create)                                              \
    X(PATCH, "/admin/alerts/{id}", ADMIN, JSON, "", h_alert_patch)                                         \
    X(DELETE, "/admin/alerts/{id}", ADMIN, NONE, "", h_alert_delete)                                       \
    X(POST, "/admin/alerts/{id}/acknowledge", ADMIN, MAYBE, "", h_alert_acknowledge)                       \
    X(GET, "/admin/users", ADMIN, NONE, "limit cursor", h_users_list)                                      \
    X(POST, "/admin/users", ADMIN_FRESH, JSON, "", h_user_create)                                          \
    X(GET, "/admin/users/{id}", ADMIN, NONE, "", h_user_get)                                               \
    X(PATCH, "/admin/users/{id}", ADMIN_FRESH, JSON, "", h_user_patch)                                     \
    X(DELETE, "/admin/users/{id}", ADMIN_FRESH, NONE, "", h_user_delete)                                   \
    X(GET, "/admin/tokens", ADMIN, NONE, "state limit cursor", h_tokens_list)                              \
    X(POST, "/admin/tokens", ADMIN_FRESH, JSON, "", h_token_create)                                        \
    X(GET, "/admin/tokens/{id}", ADMIN, NONE, "", h_token_get)                                             \
    X(PATCH, "/admin/tokens/{id}", ADMIN_FRESH, JSON, "", h_token_patch)                                   \
    X(DELETE, "/admin/tokens/{id}", ADMIN_FRESH, NONE, "", h_token_revoke)                                 \
    X(GET, "/admin/prices", ADMIN, NONE, "state limit cursor", h_prices_list)                              \
    X(POST, "/admin/prices", ADMIN_FRESH, JSON, "", h_price_create)                                        \
    X(GET, "/admin/price-table", ADMIN, NONE, "", h_price_table)                                           \
    X(GET, "/admin/prices/{id}", ADMIN, NONE, "", h_price_get)                                             \
    X(PATCH, "/admin/prices/{id}", ADMIN_FRESH, JSON, "", h_price_patch)                                   \
    X(DELETE, "/admin/prices/{id}", ADMIN_FRESH, NONE, "", h_price_delete)                                 \
    X(GET, "/admin/retention", ADMIN, NONE, "", h_retention)                                               \
    X(GET, "/admin/users/{id}/export", ADMIN, NONE, "", h_person_export)                                    \
    X(POST, "/admin/users/{id}/export", ADMIN, JSON, "", h_person_export_note)                               \
    X(DELETE, "/admin/users/{id}/data", ADMIN_FRESH, NONE, "", h_person_erase)                                    \
    X(GET, "/admin/webhooks", ADMIN, NONE, "", h_webhooks_list)                                            \
    X(POST, "/admin/webhooks", ADMIN, JSON, "", h_webhook_create)                                          \
    X(GET, "/admin/webhooks/{id}", ADMIN, NONE, "", h_webhook_get)                                         \
    X(PATCH, "/admin/webhooks/{id}", ADMIN, JSON, "", h_webhook_patch)                                     \
    X(DELETE, "/admin/webhooks/{id}", ADMIN, NONE, "", h_webhook_delete)                                   \
    X(POST, "/admin/webhooks/{id}/test", ADMIN, MAYBE, "", h_webhook_test)                                 \
    X(GET, "/admin/webhooks/{id}/deliveries", ADMIN, NONE, "state limit cursor", h_deliveries_list)         \
    X(POST, "/admin/webhooks/{id}/deliveries/{id}/send-again", ADMIN, MAYBE, "", h_delivery_again)          \
    X(POST, "/monitoring/reset-rate-limits", ADMIN_FRESH, MAYBE, "", h_reset_rate_limits)

struct route {
    enum http_method method;
    const char *pattern;
    enum perm perm;
    enum route_body body;
    const char *query;        /* names allowed, or NULL for any */
    web_handler *handler;
};

/* The whole table, for tests and documentation. */
const struct route *route_table(size_t *n);

/* The route of method and path, with what stood for {id} copied to `arg`. NULL: *allow is the set of methods
 * (1 << enum http_method) the path takes, 0 if there is no such path. Pure. */
const struct route *route_find(enum http_method method, const char *path, char arg[WEB_ARGS][WEB_ARG_MAX + 1],
                               unsigned *allow);

/* True if `role` may use the route. */
bool route_permits(const struct route *r, enum role role);
/* One of the scopes below? */
bool route_scope_exists(const char *scope);
/* True if a token narrowed to `scopes` (separated by commas; "" = not narrowed) may use the route: "chat" opens /chat/, /v1/ and /operations/,
 * "monitor" /monitoring/ and /metrics, "usage" /usage/, either one /app/me. Nothing else is open to a narrowed token. */
bool route_in_scope(const struct route *r, const char *scopes);

#define X(method, pattern, perm, body, query, handler) web_handler handler;
ROUTES(X)
#undef X

#endif
