/* allowance.c - what a session may take before it cools, as the engine keeps it.
 *
 * A job is looked at before it gets a place in line, and what admission expects
 * it to take is held in the same turn; its record's tokens replace that when it
 * ends. */
#include <inttypes.h>

#include "flow/engine_impl.h"

struct session_limit allowance_limit(const struct settings *s)
{
    return (struct session_limit){.max = s->tokens.session_max, .cooldown_ms = s->tokens.session_cooldown_us / USEC_PER_MS};
}

bool allowance_may(struct engine *e, const struct ask *ask, const struct session_tokens *known, struct allowance_refusal *no)
{
    const struct session_limit l = allowance_limit(e->s);
    struct session_tokens now;
    struct sb text;

    no->message = NULL;
    no->retry_after_ms = -1;
    if (!ask->session || session_book_may(&e->sessions, &l, ask->session, known, clock_utc_ms(), &now, &no->retry_after_ms))
        return true;
    text = sb_make(512);
    sb_putf(&text, "This conversation has had %" PRId64 " of the %" PRId64 " tokens one may have%s. It may go on in %" PRId64
            " s; a new one may begin now.", now.used, l.max,
            now.until_ms ? "" : ", and what is running is expected to take the rest", (no->retry_after_ms + 999) / 1000);
    no->message = sb_take(&text);
    return false;
}

void allowance_hold(struct engine *e, struct job *j)
{
    const struct session_limit l = allowance_limit(e->s);

    if (!j->ask.session || l.max <= 0)
        return;
    j->session_held = admit_expects(e->admit, j->ticket);
    session_book_hold(&e->sessions, &l, j->ask.session, &j->session_known, j->session_held, clock_utc_ms());
}

void allowance_settle(struct engine *e, struct job *j)
{
    const struct session_limit l = allowance_limit(e->s);

    session_book_settle(&e->sessions, &l, j->ask.session, j->session_held, j->rec.usage.prompt + j->rec.usage.completion,
                        j->rec.accepted_at_ms + j->rec.duration_us / USEC_PER_MS);
    j->session_held = 0;
}

void allowance_release(struct engine *e, struct job *j)
{
    if (j->session_held)
        session_book_release(&e->sessions, j->ask.session, j->session_held);
    j->session_held = 0;
}

/* The records say what each session has by the other limit; what runs is added to that when it ends. */
void allowance_change(struct engine *e, const struct settings *fresh)
{
    const struct session_limit now = allowance_limit(e->s), then = allowance_limit(fresh);

    if (now.max == then.max && now.cooldown_ms == then.cooldown_ms)
        return;
    session_book_done(&e->sessions);
    for (struct job *j = e->jobs; j; j = j->next)
        j->session_held = 0;
}
