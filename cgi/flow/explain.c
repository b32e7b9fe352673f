/* explain.c - where one request stands, for who asks about it before it has
 * ended. The engine's thread fills in numbers; the asker's makes the report. */
#include "flow/engine_impl.h"
#include "flow/gauge.h"
#include "store/record.h"

static const char *state_name(const struct job *j)
{
    switch (j->state) {
    case JOB_ACCEPTING:
    case JOB_QUEUED: return j->granted ? "starting" : j->failed_us ? "retrying" : "queued";
    case JOB_INTENT: return "starting";
    case JOB_CONNECTING: return "sent";
    case JOB_STREAMING: return "writing";
    case JOB_COMMITTING:
    case JOB_FLUSHING:
    case JOB_GONE: break;
    }
    return "ended";
}

static void place_json(struct engine *e, struct job *j, struct sb *out)
{
    struct admit_place p;

    admit_place(e->admit, j->ticket, e->now_us, &p);
    json_i64(out, "position", p.position);
    json_i64(out, "ahead", p.ahead);
    if (p.eta_us < 0)
        json_text(out, "starts_in_ms", NULL);
    else
        json_i64(out, "starts_in_ms", p.eta_us / USEC_PER_MS);
    json_text(out, "reason", gate_name(p.reason));
    gauge_spread_json(out, &p.spread);
    json_text(out, "upstream", e->s->upstreams[p.upstream].name);
}

void explain_job(struct engine *e, struct job *j, struct report_open *out)
{
    bool waits = j->ticket && !j->granted;

    if (waits)
        admit_waited(e->admit, j->ticket, e->now_us, &j->grant.wait);
    out->rec.attempt_count = j->rec.attempt_count;
    sb_putc(&out->attempts, '[');
    for (int32_t i = 0; i < j->rec.attempt_count; i++) {
        struct call_attempt *to = &out->rec.attempts[i];

        *to = j->rec.attempts[i];
        sb_puts(&out->attempts, i ? "," : "");
        record_attempt_json(&out->attempts, &j->rec, i + 1, to);
        to->upstream = to->model = to->error_code = NULL;          /* the job's, which may be gone when this is read */
    }
    sb_putc(&out->attempts, ']');
    settle_times(j, j->ending ? j->ended_us : e->now_us, &out->rec);
    sb_puts(&out->now, "{\"state\":");
    sb_json(&out->now, state_name(j));
    if (waits)
        place_json(e, j, &out->now);
    else
        json_text(&out->now, "upstream", j->rec.upstream);
    json_i64(&out->now, "output_pieces", j->chunks);
    sb_putc(&out->now, '}');
}
