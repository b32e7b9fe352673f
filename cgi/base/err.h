/* err.h - every way Weir says no, as one table: HTTP status, type, code, sentence.
 *
 * The first column is what functions return; the rest is what people see
 * of an error object. "Wait" and "not found in a table" inside a module are
 * answers, not errors. */
#ifndef WEIR_ERR_H
#define WEIR_ERR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sb.h"

/*  name, status, type, code, default sentence (what happened, and what to do) */
#define WEIR_ERRORS(X)                                                                                        \
    X(OK, 200, "", "", "")                                                                                    \
    X(E_INVALID_JSON, 400, "invalid_request_error", "invalid_json", "The body is not valid JSON.")            \
    X(E_INVALID_FIELD, 400, "invalid_request_error", "invalid_field", "A field has a wrong value.")           \
    X(E_MISSING_FIELD, 400, "invalid_request_error", "missing_field", "A required field is missing.")         \
    X(E_UNKNOWN_FIELD, 400, "invalid_request_error", "unknown_field", "This field is not known here.")        \
    X(E_DUPLICATE_HEADER, 400, "invalid_request_error", "duplicate_header", "A header came twice.")             \
    X(E_DUPLICATE_KEY, 400, "invalid_request_error", "duplicate_key", "A key appears twice.")                 \
    X(E_OUT_OF_RANGE, 400, "invalid_request_error", "out_of_range", "A value is out of range.")               \
    X(E_JSON_TOO_DEEP, 400, "invalid_request_error", "json_too_deep", "The JSON is nested too deeply (32 levels at most).") \
    X(E_TOO_MANY_ITEMS, 400, "invalid_request_error", "too_many_items", "The JSON has too many items.")       \
    X(E_INVALID_UTF8, 400, "invalid_request_error", "invalid_utf8", "The body is not valid UTF-8.")           \
    X(E_BODY_INCOMPLETE, 400, "invalid_request_error", "body_incomplete", "The body is shorter than its Content-Length says.") \
    X(E_CONTEXT_LENGTH, 400, "invalid_request_error", "context_length_exceeded", "The prompt does not fit the model's context window. Shorten it or choose a larger model.") \
    X(E_FILTERED, 400, "invalid_request_error", "filtered", "A rule of this Weir does not let this text through; nothing was sent.") \
    X(E_UPSTREAM_REFUSED, 400, "invalid_request_error", "upstream_refused", "The provider refused the request as it is.") \
    X(E_CONFIG, 400, "invalid_request_error", "invalid_config", "The configuration file is wrong; the one before stays in force.") \
    X(E_UNAUTHENTICATED, 401, "authentication_error", "invalid_token", "Sign in, or send a valid token as 'Authorization: Bearer …'.") \
    X(E_BUDGET, 402, "budget_exceeded", "budget_exceeded", "This would pass a budget; nothing was sent or charged.") \
    X(E_UNPRICED, 402, "unpriced_model", "unpriced_model", "This model has no price and a budget applies; ask an administrator to set one.") \
    X(E_FORBIDDEN, 403, "permission_error", "forbidden", "Your role may not do this.")                        \
    X(E_CSRF, 403, "permission_error", "csrf_failed", "The request did not come from Weir's own page. Reload the page and try again.") \
    X(E_PRIORITY, 403, "permission_error", "priority_not_allowed", "You may not use this priority.")          \
    X(E_MODEL_NOT_ALLOWED, 403, "permission_error", "model_not_allowed", "You may not use this model; GET /chat/models lists those you may.") \
    X(E_REAUTHENTICATE, 403, "permission_error", "reauthentication_required", "This needs a sign-in of the last ten minutes. Sign in again, then repeat it.") \
    X(E_ACCESS_ENDED, 403, "permission_error", "access_ended", "An administrator has changed or ended this access, so what ran with it was stopped.") \
    X(E_NOT_FOUND, 404, "not_found", "not_found", "There is nothing here.")                                   \
    X(E_MODEL_NOT_FOUND, 404, "not_found", "model_not_found", "There is no such model here; GET /chat/models lists them.") \
    X(E_METHOD, 405, "method_not_allowed", "method_not_allowed", "This path does not take this method.")      \
    X(E_CANCELLED, 409, "conflict", "cancelled", "The request was cancelled.")                                \
    X(E_CONFLICT, 409, "conflict", "conflict", "This conflicts with what is there.")                          \
    X(E_IDEMPOTENCY_RUNNING, 409, "idempotency_in_progress", "idempotency_in_progress", "The first request with this idempotency key is still running.") \
    X(E_GONE, 410, "gone", "gone", "This is no longer kept.")                                                 \
    X(E_LEASE_EXPIRED, 410, "gone", "expired", "The lease was not settled in time and is settled at its estimate.") \
    X(E_INTERRUPTED, 410, "gone", "interrupted", "The first request with this idempotency key was cut off when Weir was restarted; what it used is recorded. Send it again with a new key.") \
    X(E_BODY_TOO_LARGE, 413, "request_too_large", "body_too_large", "The body is too large.")                 \
    X(E_MEDIA_TYPE, 415, "unsupported_media_type", "unsupported_media_type", "Send the body as application/json.") \
    X(E_IDEMPOTENCY_MISMATCH, 422, "idempotency_mismatch", "idempotency_mismatch", "This idempotency key was used with another body.") \
    X(E_ADDRESS, 422, "invalid_request_error", "address_not_allowed", "Weir does not connect to this address unless 'webhooks.allowed_addresses' in weir.json names it.") \
    X(E_UPSTREAM_UNPROCESSABLE, 422, "invalid_request_error", "upstream_unprocessable", "The provider could not process the request as it is.") \
    X(E_QUEUE_FULL, 429, "rate_limited", "queue_full", "The queue is full. Try again a little later.")        \
    X(E_QUEUE_TIMEOUT, 429, "rate_limited", "queue_timeout", "The request would wait (or has waited) longer than its deadline.") \
    X(E_RATE_LIMITED, 429, "rate_limited", "rate_limited", "You have reached your own limit. Try again a little later.") \
    X(E_SESSION_COOLING, 429, "rate_limited", "session_cooling", "This conversation has had as many tokens as one may have for now.") \
    X(E_REQUEST_TOO_LARGE_FOR_LIMIT, 429, "rate_limited", "request_too_large_for_limit", "This request alone needs more than the whole limit; shorten it or choose another model.") \
    X(E_UPSTREAM_RATE_LIMITED, 429, "rate_limited", "upstream_rate_limited", "The provider kept refusing because of its rate limit.") \
    X(E_INTERNAL, 500, "internal_error", "internal_error", "Weir made a mistake. The request id helps whoever looks into it.") \
    X(E_UPSTREAM, 502, "upstream_error", "upstream_error", "The provider answered wrongly.")                  \
    X(E_OPERATION_FAILED, 502, "upstream_error", "operation_failed", "Whoever held the lease says that the operation failed.") \
    X(E_UPSTREAM_INVALID, 502, "upstream_error", "upstream_invalid", "The provider's answer could not be understood.") \
    X(E_UPSTREAM_TRUNCATED, 502, "upstream_error", "upstream_truncated", "The provider's answer broke off before its end.") \
    X(E_UPSTREAM_TOO_LARGE, 502, "upstream_error", "upstream_too_large", "The provider's answer was larger than Weir accepts.") \
    X(E_UPSTREAM_REDIRECT, 502, "upstream_error", "upstream_redirect", "The provider answered with a redirect, which Weir never follows.") \
    X(E_UPSTREAM_CONNECT, 502, "upstream_error", "upstream_connect", "The provider could not be reached.")    \
    X(E_UPSTREAM_DNS, 502, "upstream_error", "upstream_dns", "The provider's name could not be resolved.")    \
    X(E_UPSTREAM_TLS, 502, "upstream_error", "upstream_tls", "No trusted TLS connection to the provider could be made.") \
    X(E_UPSTREAM_AUTH, 502, "upstream_error", "upstream_auth", "The provider refused Weir's key; an administrator must look.") \
    X(E_UPSTREAM_QUOTA, 503, "unavailable", "upstream_quota", "The provider account's quota or credit is used up; an administrator must look.") \
    X(E_UNAVAILABLE, 503, "unavailable", "unavailable", "Weir cannot do this right now. Try again a little later.") \
    X(E_DRAINING, 503, "unavailable", "draining", "Weir is being restarted. Try again in a few seconds.")     \
    X(E_STORAGE, 503, "unavailable", "storage_unavailable", "Weir cannot write its records right now, so nothing that costs money is sent.") \
    X(E_OVERLOADED, 503, "unavailable", "overloaded", "Weir has too many connections right now.")             \
    X(E_NO_UPSTREAM, 503, "unavailable", "no_upstream", "No healthy provider serves this model right now.")   \
    X(E_UPSTREAM_TIMEOUT, 504, "upstream_timeout", "upstream_timeout", "The provider took too long.")

enum weir_err {
#define X(name, status, type, code, text) WEIR_##name,
    WEIR_ERRORS(X)
#undef X
    WEIR_ERR_COUNT
};

int err_status(enum weir_err e);            /* HTTP status */
const char *err_type(enum weir_err e);
const char *err_code(enum weir_err e);
const char *err_text(enum weir_err e);      /* the default sentence */
const char *err_reason(int status);         /* HTTP's phrase for a status: "Not Found" (RFC 9110) */
enum weir_err err_by_code(const char *code);   /* WEIR_OK if there is no such code */

/* What one refusal says beyond its code. Strings are borrowed. */
struct err_detail {
    const char *message;      /* NULL: the default sentence */
    const char *code;         /* the provider's own; NULL: the error's */
    const char *param;        /* the field at fault, or NULL */
    const char *request_id;   /* NULL only where there is none yet */
    int64_t retry_after_ms;   /* < 0: unknown */
    const char *extra;        /* further members as JSON text, beginning with a comma, or NULL */
};

/* Append {"error":{type,code,message,param,request_id,retry_after_ms}}; `d` may be NULL. Thread-safe. */
void err_json(struct sb *out, enum weir_err e, const struct err_detail *d);
/* The same object without the {"error":} around it, for SSE's error event. */
void err_json_inner(struct sb *out, enum weir_err e, const struct err_detail *d);

#endif
