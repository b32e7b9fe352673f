/* test_engine.c - the real engine with the real writer on a real database:
 * socket pairs stand for nginx's connections, the provider stand-in for
 * providers. What is looked at is what nginx receives and what was recorded. */
#include <netinet/in.h>

#include "fixture_engine.h"
#include "flow/gauge.h"
#include "unit.h"

START_TEST(the_builtin_model_streams_from_acceptance_to_done)
{
    struct world *w = world_make(false);
    struct client c;
    const char *text;

    world_start(w);
    send_builtin(w, &c, JOB_STREAM, "I am unhappy");
    text = await_end(&c);
    ck_assert(strstr(text, "Content-Type: text/event-stream\r\n"));
    ck_assert(strstr(text, "X-Accel-Buffering: no\r\n"));
    assert_stream(text);
    assert_event_str(text, "accepted", "request_id", c.request_id);
    assert_event_str(text, "start", "upstream", "builtin");
    assert_event_str(text, "done", "finish_reason", "stop");
    ck_assert_int_ge(count_of(text, "event: delta\n"), 2);
    ck_assert_int_eq(event_int(text, "usage", "usage", "prompt_tokens"), 10);
    ck_assert_int_eq(event_int(text, "usage", "usage", "completion_tokens"), 7);
    ck_assert(strstr(text, "\"priced\":true"));
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM events WHERE state = 2 AND status = 0"), 1);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM messages"), 2);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(a_provider_streams_through)
{
    struct world *w = world_make(true);
    struct client c;
    const char *text;

    world_start(w);
    send_openai(w, &c, JOB_STREAM, "echo this please");
    text = await_end(&c);
    assert_stream(text);
    assert_event_str(text, "start", "upstream", "openai");
    assert_event_str(text, "done", "finish_reason", "stop");
    ck_assert(strstr(text, "\"estimated\":false"));
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM attempts WHERE http_status = 200"), 1);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM attempt_rows"), 0);        /* it lies in the event's row */
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(a_complete_answer_is_one_json_object)
{
    struct world *w = world_make(true);
    struct client c;
    const char *text, *body;
    json_t *j;

    world_start(w);
    send_openai(w, &c, JOB_COMPLETE, "echo \"quoted\" \xe2\x82\xac");
    text = await_end(&c);
    ck_assert_msg(strncmp(text, "Status: 200 ", 12) == 0, "%s", text);
    body = strstr(text, "\r\n\r\n") + 4;
    j = json_loads(body, 0, NULL);
    ck_assert_ptr_nonnull(j);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(j, "message"), "content")), "echo \"quoted\" \xe2\x82\xac");
    ck_assert_str_eq(json_string_value(json_object_get(j, "finish_reason")), "stop");
    ck_assert_str_eq(json_string_value(json_object_get(j, "request_id")), c.request_id);
    json_decref(j);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(two_503_are_followed_by_success_and_each_attempt_is_recorded)
{
    struct world *w = world_make(true);
    struct client c;
    const char *text;

    world_start(w);
    send_openai(w, &c, JOB_STREAM, "#fault-503-twice please");
    text = await_end(&c);
    assert_stream(text);
    assert_event_str(text, "done", "finish_reason", "stop");
    ck_assert_int_eq(count_of(text, "event: retry\n"), 2);
    ck_assert_int_eq(event_int(text, "retry", NULL, "status"), 503);
    ck_assert_int_eq(event_int(text, "usage", "metrics", "retries"), 2);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM attempts WHERE http_status = 503"), 2);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(a_stream_that_breaks_off_ends_in_an_error_and_never_in_done)
{
    static const struct {
        const char *message, *code;
    } table[] = {
        {"#fault-cut-1300 x", "upstream_truncated"}, {"#fault-reset-1300 x", "upstream_truncated"},
        {"#fault-end-1300 x", "upstream_truncated"}, {"#fault-json x", "upstream_invalid"}, {"#fault-html x", "upstream_invalid"},
        {"#fault-empty x", "upstream_invalid"}, {"#fault-redirect x", "upstream_redirect"}, {"#fault-huge-line x", "upstream_too_large"},
        {"#fault-huge-header x", "upstream_too_large"},
        {"#fault-400 x", "upstream_refused"}, {"#fault-404 x", "model_not_found"}, {"#fault-too-large x", "request_too_large_for_limit"},
    };
    struct world *w = world_make(true);

    world_start(w);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct client c;
        const char *text;

        send_openai(w, &c, JOB_STREAM, table[i].message);
        text = await_end(&c);
        assert_stream(text);
        assert_event_str(text, "error", "code", table[i].code);
        if (strstr(text, "event: delta\n"))
            ck_assert(strstr(text, "\"partial\":true"));
        client_done(&c);
    }
    world_done(w);
}
END_TEST

START_TEST(silence_is_ended_by_the_time_outs)
{
    struct world *w = world_make(true);
    struct client c[2];

    w->s->upstreams[0].tune.timeouts.first_byte_us = w->s->upstreams[0].tune.timeouts.idle_us = 300 * USEC_PER_MS;
    w->s->upstreams[0].tune.retry.max_retries = 0;
    world_start(w);
    send_openai(w, &c[0], JOB_STREAM, "#fault-hang x");
    send_openai(w, &c[1], JOB_STREAM, "#fault-hang-3 x");
    for (int i = 0; i < 2; i++) {
        const char *text = await_end(&c[i]);

        assert_stream(text);
        assert_event_str(text, "error", "code", "upstream_timeout");
        ck_assert_int_eq(strstr(text, "\"partial\":true") != NULL, i == 1);
        client_done(&c[i]);
    }
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM events WHERE estimated = 1"), 2);
    world_done(w);
}
END_TEST

START_TEST(who_waits_is_told_where_and_moves_up_when_somebody_leaves)
{
    struct world *w = world_make(true);
    struct client held, a, b;

    w->s->upstreams[0].tune.max_concurrent = 1;
    world_start(w);
    send_openai(w, &held, JOB_STREAM, "#slow-0-20-1000 held");
    await_text(&held, "event: delta\n");
    send_openai(w, &a, JOB_STREAM, "waits a");
    await_text(&a, "\"position\":1,");
    ck_assert(strstr(client_text(&a), "\"reason\":\"concurrency\""));
    send_openai(w, &b, JOB_STREAM, "waits b");
    await_text(&b, "\"position\":2,");
    client_leave(&a);
    await_text(&b, "\"position\":1,");
    client_leave(&held);
    await_end(&b);
    assert_stream(client_text(&b));
    assert_event_str(client_text(&b), "done", "finish_reason", "stop");
    await_rows(w, "SELECT count(*) FROM events WHERE state = 2 AND status = 2", 2);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM attempts"), 2);
    client_done(&held);
    client_done(&a);
    client_done(&b);
    world_done(w);
}
END_TEST

START_TEST(a_client_that_leaves_is_recorded_with_what_passed)
{
    struct world *w = world_make(true);
    struct client c;

    world_start(w);
    send_openai(w, &c, JOB_STREAM, "#slow-0-10-1000 leaves");
    await_text(&c, "event: delta\n");
    client_leave(&c);
    await_rows(w, "SELECT count(*) FROM events WHERE state = 2 AND status = 2 AND estimated = 1 AND completion > 0", 1);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM messages"), 2);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(cancelling_ends_what_waits_and_what_runs)
{
    struct world *w = world_make(true);
    struct client held, stream, complete;
    struct sb out = sb_make(4096);

    w->s->upstreams[0].tune.max_concurrent = 1;
    world_start(w);
    send_openai(w, &held, JOB_STREAM, "#slow-0-20-1000 held");
    await_text(&held, "event: delta\n");
    send_openai(w, &stream, JOB_STREAM, "waits");
    await_text(&stream, "event: queue\n");
    send_openai(w, &complete, JOB_COMPLETE, "waits too");
    await_rows(w, "SELECT count(*) FROM events", 3);
    engine_cancel(w->e, "usr_b", held.request_id, NULL, &out);
    ck_assert_str_eq(sb_str(&out), "[]");
    sb_reset(&out);
    engine_cancel(w->e, "usr_a", NULL, stream.session_id, &out);
    ck_assert(strstr(sb_str(&out), stream.request_id));
    engine_cancel(w->e, NULL, complete.request_id, NULL, &out);
    engine_cancel(w->e, "usr_a", held.request_id, NULL, &out);
    ck_assert(strncmp(await_end(&complete), "Status: 409 ", 12) == 0);
    assert_event_str(await_end(&stream), "done", "finish_reason", "cancelled");
    assert_event_str(await_end(&held), "done", "finish_reason", "cancelled");
    assert_stream(client_text(&held));
    sb_reset(&out);
    engine_cancel(w->e, "usr_a", held.request_id, NULL, &out);
    ck_assert_str_eq(sb_str(&out), "[]");
    sb_done(&out);
    client_done(&held);
    client_done(&stream);
    client_done(&complete);
    world_done(w);
}
END_TEST

START_TEST(a_deadline_that_passes_in_line_is_told_as_queue_timeout)
{
    struct world *w = world_make(true);
    struct client held, c;
    struct job *j;

    w->s->upstreams[0].tune.max_concurrent = 1;
    world_start(w);
    send_openai(w, &held, JOB_STREAM, "#slow-0-20-1000 held");
    await_text(&held, "event: delta\n");
    j = job_make(w, &c, JOB_STREAM, "late");
    j->body[PROTOCOL_OPENAI].text = mem_strdup("{}");
    j->ask.deadline_us = j->ask.arrived_us + 300 * USEC_PER_MS;
    engine_submit(w->e, j);
    await_end(&c);
    ck_assert_msg(strstr(client_text(&c), "queue_timeout") != NULL, "%s", client_text(&c));
    client_done(&held);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(a_slow_reader_holds_the_provider_back_and_loses_nothing)
{
    struct world *w = world_make(true);
    struct client c;
    json_t *usage;

    world_start(w);
    send_openai(w, &c, JOB_STREAM, "#lorem-20000 slow");
    poll(NULL, 0, 300);                                   /* it fills the socket, then the buffer, then stops */
    await_end(&c);
    assert_stream(client_text(&c));
    ck_assert_int_ge(count_of(client_text(&c), "event: delta\n"), 20000);
    usage = event(client_text(&c), "usage", 0);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(usage, "usage"), "completion_tokens")), 20000);
    json_decref(usage);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(stopping_refuses_what_waits_lets_run_and_ends_the_rest_with_an_error)
{
    struct world *w = world_make(true);
    struct client held, waits, quick;
    struct sb state = sb_make(1 << 20);

    w->s->upstreams[0].tune.max_concurrent = 1;
    world_start(w);
    send_openai(w, &held, JOB_STREAM, "#slow-0-20-1000 held");
    await_text(&held, "event: delta\n");
    send_openai(w, &waits, JOB_STREAM, "waits");
    await_text(&waits, "event: queue\n");
    send_builtin(w, &quick, JOB_STREAM, "hello");
    await_text(&quick, "event: start\n");
    engine_stop(w->e, 500, &state);
    w->e = NULL;
    assert_event_str(await_end(&held), "error", "code", "draining");
    ck_assert(strstr(client_text(&held), "\"partial\":true"));
    assert_event_str(await_end(&waits), "error", "code", "draining");
    assert_event_str(await_end(&quick), "done", "finish_reason", "stop");
    ck_assert_uint_gt(state.len, 2);
    sb_done(&state);
    client_done(&held);
    client_done(&waits);
    client_done(&quick);
    world_done(w);
}
END_TEST

START_TEST(a_full_line_refuses_with_a_status_and_a_time)
{
    struct world *w = world_make(true);
    struct client held, waits, refused[2];

    w->s->upstreams[0].tune.max_concurrent = 1;
    w->s->queue.max_size = 1;
    world_start(w);
    send_openai(w, &held, JOB_STREAM, "#slow-0-20-1000 held");
    await_text(&held, "event: delta\n");
    send_openai(w, &waits, JOB_STREAM, "waits");
    await_text(&waits, "event: queue\n");
    for (int i = 0; i < 2; i++) {
        send_openai(w, &refused[i], i ? JOB_STREAM : JOB_COMPLETE, "one too many");
        await_end(&refused[i]);
        ck_assert(strncmp(client_text(&refused[i]), "Status: 429 ", 12) == 0);
        ck_assert(strstr(client_text(&refused[i]), "\r\nRetry-After: "));
        ck_assert(strstr(client_text(&refused[i]), "\"code\":\"queue_full\""));
        client_done(&refused[i]);
    }
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM events"), 2);
    client_leave(&held);
    client_leave(&waits);
    client_done(&held);
    client_done(&waits);
    world_done(w);
}
END_TEST

START_TEST(a_provider_that_is_not_there_is_tried_again_and_then_told)
{
    struct world *w = world_make(false);
    struct client c;

    snprintf(w->base_url, sizeof w->base_url, "http://127.0.0.1:1/v1");
    world_start(w);
    send_openai(w, &c, JOB_COMPLETE, "hello");
    await_end(&c);
    ck_assert(strncmp(client_text(&c), "Status: 502 ", 12) == 0);
    ck_assert(strstr(client_text(&c), "\"code\":\"upstream_connect\""));
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM attempts WHERE http_status = 0"), 4);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT prompt + completion FROM events"), 0);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(a_provider_without_tls_gets_no_key_and_no_second_try)
{
    static const char plain[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    struct world *w = world_make(false);
    struct client c;
    char hello[4096];
    ssize_t n;

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, len) || listen(listener, 1) ||
                     getsockname(listener, (struct sockaddr *)&at, &len), 0);
    snprintf(w->base_url, sizeof w->base_url, "https://127.0.0.1:%d/v1", ntohs(at.sin_port));
    world_start(w);
    send_openai(w, &c, JOB_COMPLETE, "hello");
    fd = accept(listener, NULL, NULL);
    n = read(fd, hello, sizeof hello);
    ck_assert_int_gt(n, 0);
    ck_assert_ptr_null(memmem(hello, (size_t)n, "sk-test", 7));
    ck_assert_int_eq(write(fd, plain, sizeof plain - 1), sizeof plain - 1);
    close(fd);
    await_end(&c);
    ck_assert(strncmp(client_text(&c), "Status: 502 ", 12) == 0);
    ck_assert(strstr(client_text(&c), "\"code\":\"upstream_tls\""));
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM attempts"), 1);
    close(listener);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(nothing_is_sent_while_records_cannot_be_written)
{
    struct world *w = world_make(true);
    int64_t until = clock_mono_us() + 20 * USEC_PER_SEC;
    struct client c;
    sqlite3 *other;

    world_start(w);
    ck_assert_int_eq(sqlite3_open(fixture_path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 2; i++) {                         /* the first finds out, the second is told at once */
        send_openai(w, &c, i ? JOB_STREAM : JOB_COMPLETE, "hello");
        await_end(&c);
        ck_assert_msg(strncmp(client_text(&c), "Status: 503 ", 12) == 0, "%s", client_text(&c));
        ck_assert(strstr(client_text(&c), "\"code\":\"storage_unavailable\""));
        ck_assert(strstr(client_text(&c), "\r\nRetry-After: "));
        client_done(&c);
    }
    ck_assert(!writer_healthy(w->w));
    sqlite3_close(other);
    while (!writer_healthy(w->w)) {
        ck_assert(clock_mono_us() < until);
        poll(NULL, 0, 5);
    }
    send_openai(w, &c, JOB_STREAM, "hello");
    assert_stream(await_end(&c));
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM attempts"), 1);
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(a_snapshot_shows_who_runs_and_who_waits)
{
    struct world *w = world_make(true);
    struct client held, waits;
    const struct snapshot *s;
    struct sb out = sb_make(65536);
    json_t *j;

    w->s->upstreams[0].tune.max_concurrent = 1;
    w->s->upstreams[0].tune.limits.requests_per_minute = 60;
    world_start(w);
    send_openai(w, &held, JOB_STREAM, "#slow-0-20-1000 held");
    await_text(&held, "event: delta\n");
    send_openai(w, &waits, JOB_STREAM, "waits");
    await_text(&waits, "event: queue\n");
    poll(NULL, 0, 110);
    s = engine_snapshot(w->e);
    ck_assert_uint_eq(s->upstream_count, 2);
    ck_assert_int_eq(s->running, 1);
    ck_assert_uint_eq(s->entry_count, 1);
    ck_assert_str_eq(s->entries[0].request_id, waits.request_id);
    ck_assert_int_eq(s->entries[0].position, 1);
    ck_assert_int_eq(s->waiting[PRIORITY_MEDIUM], 1);
    gauge_json(&out, &s->upstreams[0], s->at_ms);
    j = json_loads(sb_str(&out), 0, NULL);
    ck_assert_msg(j != NULL, "%s", sb_str(&out));
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json_object_get(j, "dimensions"), "requests_per_minute"), "limit")), 60);
    json_decref(j);
    snapshot_put(s);
    sb_done(&out);
    client_leave(&held);
    client_done(&held);
    client_done(&waits);
    world_done(w);
}
END_TEST

START_TEST(models_are_learned_from_a_provider_that_lists_them)
{
    struct world *w = world_make(true);
    struct sb out = sb_make(65536);
    int64_t until = clock_mono_us() + 10 * USEC_PER_SEC;
    char model[MODEL_NAME_SIZE];

    w->s->upstreams[0].models = (struct cfg_list){0};
    world_start(w);
    ck_assert_uint_eq(engine_upstreams_for(w->e, BUILTIN_MODEL), 2);
    ck_assert_uint_eq(engine_upstreams_for(w->e, "no-such-model"), 0);
    while (engine_upstreams_for(w->e, "gpt-4o-mini") != 1) {
        ck_assert(clock_mono_us() < until);
        poll(NULL, 0, 5);
    }
    engine_default_model(w->e, model);
    ck_assert_uint_eq(engine_upstreams_for(w->e, model), 1);
    engine_models_json(w->e, &out);
    ck_assert(strstr(sb_str(&out), "{\"id\":\"builtin/eliza\",\"upstream\":\"builtin\",\"healthy\":true}"));
    sb_done(&out);
    world_done(w);
}
END_TEST

START_TEST(a_reader_that_holds_the_provider_back_is_bound_by_the_time_of_a_call)
{
    struct world *w = world_make(true);
    struct client c;

    w->s->upstreams[0].tune.timeouts.total_us = 500 * USEC_PER_MS;
    world_start(w);
    send_openai(w, &c, JOB_STREAM, "#lorem-20000 never read");
    await_rows(w, "SELECT count(*) FROM events WHERE status = 3", 1);
    await_end(&c);
    ck_assert(strstr(client_text(&c), "\"code\":\"upstream_timeout\""));
    client_done(&c);
    world_done(w);
}
END_TEST

START_TEST(the_name_of_the_built_in_model_is_its_own)
{
    static char claimed[] = BUILTIN_MODEL, model[] = "gpt-4o-mini";
    static char *models[] = {claimed, model};
    struct world *w = world_make(false);

    w->s->upstreams[0].models = (struct cfg_list){models, 2};
    world_start(w);
    ck_assert_uint_eq(engine_upstreams_for(w->e, BUILTIN_MODEL), 2);
    ck_assert_uint_eq(engine_upstreams_for(w->e, "gpt-4o-mini"), 1);
    world_done(w);
}
END_TEST

START_TEST(hundreds_at_once_all_end_well)
{
    enum { MANY = 300 };
    static struct client c[MANY];
    struct world *w = world_make(true);

    world_start(w);
    for (int i = 0; i < MANY; i++) {
        if (i % 3 == 0)
            send_builtin(w, &c[i], JOB_STREAM, "hello");
        else
            send_openai(w, &c[i], i % 3 == 1 ? JOB_STREAM : JOB_COMPLETE, "#slow-5-1-20 crowd");
    }
    for (int i = 0; i < MANY; i++)
        if (i % 7 == 0)
            client_leave(&c[i]);
    for (int i = 0; i < MANY; i++) {
        if (i % 7) {
            await_end(&c[i]);
            if (i % 3 != 2)
                assert_stream(client_text(&c[i]));
        }
        client_done(&c[i]);
    }
    world_done(w);
}
END_TEST

UNIT_MAIN("engine", the_builtin_model_streams_from_acceptance_to_done, a_provider_streams_through, a_complete_answer_is_one_json_object,
          two_503_are_followed_by_success_and_each_attempt_is_recorded, a_stream_that_breaks_off_ends_in_an_error_and_never_in_done,
          silence_is_ended_by_the_time_outs, who_waits_is_told_where_and_moves_up_when_somebody_leaves,
          a_client_that_leaves_is_recorded_with_what_passed, cancelling_ends_what_waits_and_what_runs,
          a_deadline_that_passes_in_line_is_told_as_queue_timeout, a_slow_reader_holds_the_provider_back_and_loses_nothing,
          stopping_refuses_what_waits_lets_run_and_ends_the_rest_with_an_error,
          a_full_line_refuses_with_a_status_and_a_time, a_provider_that_is_not_there_is_tried_again_and_then_told,
          a_provider_without_tls_gets_no_key_and_no_second_try, nothing_is_sent_while_records_cannot_be_written, a_snapshot_shows_who_runs_and_who_waits,
          models_are_learned_from_a_provider_that_lists_them,
          a_reader_that_holds_the_provider_back_is_bound_by_the_time_of_a_call,
          the_name_of_the_built_in_model_is_its_own, hundreds_at_once_all_end_well)
