/* pace.c - the built-in model answers word by word at its own pace. Every job
 * waits equally long for its next word, so the line of jobs is in order of due
 * time by itself and its head is all the clock is compared with. */
#include "flow/engine_impl.h"
#include "peer/builtin.h"

static int64_t gap_us(const struct engine *e)
{
    return e->s->builtin_words_per_second > 0 ? USEC_PER_SEC / e->s->builtin_words_per_second : 0;
}

static void line_up(struct engine *e, struct job *j, int64_t due_us)
{
    j->due_us = due_us;
    j->paced = NULL;
    j->pacing = true;
    *e->pace_end = j;
    e->pace_end = &j->paced;
}

int64_t pace_due_us(const struct engine *e)
{
    return e->pace ? e->pace->due_us : INT64_MAX;
}

void pace_stop(struct engine *e, struct job *j)
{
    struct job **at = &e->pace;

    if (!j->pacing)
        return;
    j->pacing = false;
    while (*at != j)
        at = &(*at)->paced;
    *at = j->paced;
    if (!*at)
        e->pace_end = at;
}

/* The next word, as the content of a JSON string. False: that was the last. */
static bool say_word(struct engine *e, struct job *j)
{
    size_t from = j->builtin_at, n = builtin_next_chunk(j->builtin_reply, &j->builtin_at);

    if (n == 0)
        return false;
    sb_reset(&e->scratch);
    sb_json_n(&e->scratch, j->builtin_reply + from, n);
    sb_put(&j->answer, sb_str(&e->scratch) + 1, e->scratch.len - 2);
    j->chunks++;
    if (!j->first_us) {
        j->first_us = e->now_us;
        j->state = JOB_STREAMING;
    }
    relay_delta(e, j, STREAM_TEXT, sb_str(&e->scratch) + 1, e->scratch.len - 2);
    return j->builtin_reply[j->builtin_at] != '\0';
}

static void finished(struct engine *e, struct job *j)
{
    attempt_close_row(e, j, 200, WEIR_OK, "");
    conduct_end(e, j, (struct job_end){.status = CALL_SUCCESS, .finish = "stop", .retry_after_ms = -1});
}

void pace_start(struct engine *e, struct job *j)
{
    if (j->kind == JOB_STREAM && gap_us(e) > 0) {
        line_up(e, j, e->now_us);
        return;
    }
    while (say_word(e, j)) {
    }
    finished(e, j);
}

void pace_turn(struct engine *e)
{
    while (e->pace && e->pace->due_us <= e->now_us) {
        struct job *j = e->pace;
        bool more;

        pace_stop(e, j);
        more = say_word(e, j);
        if (more)
            line_up(e, j, e->now_us + gap_us(e));
        else
            finished(e, j);
    }
}
