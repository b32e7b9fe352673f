/* record.h - the three objects that say what a call was: usage, cost, metrics
 * (docs/export.md has its members). One writer for chat answers, the stream's last events,
 * history and exports, so that they cannot differ. Pure. */
#ifndef WEIR_RECORD_H
#define WEIR_RECORD_H

#include "base/sb.h"
#include "store/usage.h"

/* {"prompt_tokens":…,"cached_tokens":…,"completion_tokens":…,"reasoning_tokens":…,"total_tokens":…,"estimated":…} */
void record_usage_json(struct sb *out, const struct call_record *r);
/* {"input_usd":…,"output_usd":…,"total_usd":…,"priced":…}; null amounts when not priced. */
void record_cost_json(struct sb *out, const struct call_record *r);
/* {"queue_ms":…,…}: the four parts are rounded so that they still sum to duration_ms. Ratios without a
 * denominator are null. */
void record_metrics_json(struct sb *out, const struct call_record *r);
/* The times among them alone: {"queue_ms":…,"retry_wait_ms":…,"ttft_ms":…,"writing_ms":…,"duration_ms":…} */
void record_timings_json(struct sb *out, const struct call_record *r);
/* {"n":…,"model":…,"upstream":…,"reason":…,"at":…,"wait_ms":…,"duration_ms":…,"http_status":…,"error_code":…,
 * "reserved_input_tokens":…,"reserved_output_tokens":…,"provider_request_id":…,"usage":{…},"cost":{…}} of the n-th attempt;
 * reason, usage and cost are null for those of before they were kept. */
void record_attempt_json(struct sb *out, const struct call_record *r, int64_t n, const struct call_attempt *a);

/* ,"name":"value" with a NULL as null */
void json_text(struct sb *out, const char *name, const char *value);
/* ,"name":n */
void json_i64(struct sb *out, const char *name, int64_t n);
/* "name":"2026-…Z" */
void json_time(struct sb *out, const char *name, int64_t utc_ms);

/* A ratio with at most `places` (1…6) decimals; null when `den` is 0. */
void record_ratio_json(struct sb *out, int64_t num, int64_t den, int places);

#endif
