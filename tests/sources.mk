include tests/fuzz/sources.mk
# the provider stand-in and the lints
noinst_PROGRAMS += tests/upstream/upstream
tests_upstream_upstream_SOURCES = tests/upstream/upstream.c \
	tests/upstream/call.c tests/upstream/call.h \
	tests/upstream/chat.c tests/upstream/chat.h \
	tests/upstream/judge.c tests/upstream/judge.h \
	tests/upstream/limits.c tests/upstream/limits.h \
	tests/upstream/messages.c tests/upstream/messages.h \
	tests/upstream/more.c tests/upstream/more.h \
	tests/upstream/net.c tests/upstream/net.h \
	tests/upstream/plan.c tests/upstream/plan.h \
	tests/upstream/wheel.c tests/upstream/wheel.h
tests_upstream_upstream_LDADD = libweir.a $(JANSSON_LIBS)
# the table of routes, for the test that walks it
noinst_PROGRAMS += tests/routes/routes
tests_routes_routes_SOURCES = tests/routes/routes.c
tests_routes_routes_LDADD = libweir.a $(WEIR_LIBS)
if HAVE_CHECK
check_PROGRAMS += tests/upstream/test_standin
tests_upstream_test_standin_SOURCES = tests/upstream/test_standin.c tests/upstream/limits.c tests/upstream/plan.c
tests_upstream_test_standin_CFLAGS = $(UNIT_CFLAGS)
tests_upstream_test_standin_LDADD = $(UNIT_LDADD)
endif

# calls that fail when they are told to: in a program that sweeps the parsers, and to be preloaded into Weir
EXTRA_DIST += tests/fail/fail.c tests/fail/fail.h tests/fail/sweep.c
if !SANITIZER
check_PROGRAMS += tests/fail/sweep
tests_fail_sweep_SOURCES = tests/fail/sweep.c tests/fail/fail.c tests/fail/fail.h
tests_fail_sweep_LDADD = libweir.a $(WEIR_LIBS) -ldl
# what constant.sh counts the instructions of
check_PROGRAMS += tests/constant/constant
tests_constant_constant_SOURCES = tests/constant/constant.c
tests_constant_constant_LDADD = libweir.a $(WEIR_LIBS)
noinst_DATA += tests/fail/fail.so
CLEANFILES += tests/fail/fail.so
tests/fail/fail.so: tests/fail/fail.c tests/fail/fail.h
	$(AM_V_GEN)$(MKDIR_P) tests/fail && $(CC) -std=c11 -D_GNU_SOURCE $(WARN_CFLAGS) -O2 -fPIC -shared -o $@ $(srcdir)/tests/fail/fail.c -ldl
endif

# end to end, by node --test: script/test runs them
EXTRA_DIST += \
	tests/e2e/canary.mjs tests/e2e/fail.mjs tests/e2e/harness.mjs tests/e2e/malformed.mjs tests/e2e/shapes.mjs \
	tests/e2e/sse.mjs tests/e2e/start.mjs \
	tests/e2e/access.test.mjs \
	tests/e2e/ahead.test.mjs \
	tests/e2e/alerts.test.mjs \
	tests/e2e/anthropic.test.mjs \
	tests/e2e/auto.test.mjs \
	tests/e2e/batch.test.mjs \
	tests/e2e/batches.test.mjs \
	tests/e2e/books.test.mjs \
	tests/e2e/branches.test.mjs \
	tests/e2e/budgets.test.mjs \
	tests/e2e/cache.test.mjs \
	tests/e2e/chat.test.mjs \
	tests/e2e/clients.test.mjs \
	tests/e2e/commands.test.mjs \
	tests/e2e/config.test.mjs \
	tests/e2e/context.test.mjs \
	tests/e2e/cost.test.mjs \
	tests/e2e/damage.test.mjs \
	tests/e2e/dialects.test.mjs \
	tests/e2e/durable.test.mjs \
	tests/e2e/errors.test.mjs \
	tests/e2e/exec.test.mjs \
	tests/e2e/explain.test.mjs \
	tests/e2e/export.test.mjs \
	tests/e2e/fail.test.mjs \
	tests/e2e/faults.test.mjs \
	tests/e2e/fcgi.test.mjs \
	tests/e2e/front.test.mjs \
	tests/e2e/handoff.test.mjs \
	tests/e2e/idempotency.test.mjs \
	tests/e2e/import.test.mjs \
	tests/e2e/input.test.mjs \
	tests/e2e/kill.test.mjs \
	tests/e2e/leave.test.mjs \
	tests/e2e/limits.test.mjs \
	tests/e2e/line.test.mjs \
	tests/e2e/metrics.test.mjs \
	tests/e2e/monitoring.test.mjs \
	tests/e2e/names.test.mjs \
	tests/e2e/operations.test.mjs \
	tests/e2e/outlook.test.mjs \
	tests/e2e/paced.test.mjs \
	tests/e2e/people.test.mjs \
	tests/e2e/permissions.test.mjs \
	tests/e2e/prices.test.mjs \
	tests/e2e/privacy.test.mjs \
	tests/e2e/proxy.test.mjs \
	tests/e2e/providers.test.mjs \
	tests/e2e/queue.test.mjs \
	tests/e2e/reconcile.test.mjs \
	tests/e2e/reload.test.mjs \
	tests/e2e/replay.test.mjs \
	tests/e2e/report.test.mjs \
	tests/e2e/resume.test.mjs \
	tests/e2e/retry.test.mjs \
	tests/e2e/sdk_ai.test.mjs \
	tests/e2e/sdk_anthropic.test.mjs \
	tests/e2e/sdk_openai.test.mjs \
	tests/e2e/server.test.mjs \
	tests/e2e/secrets.test.mjs \
	tests/e2e/sessions.test.mjs \
	tests/e2e/shell.test.mjs \
	tests/e2e/signin.test.mjs \
	tests/e2e/silence.test.mjs \
	tests/e2e/smooth.test.mjs \
	tests/e2e/ssrf.test.mjs \
	tests/e2e/steady.test.mjs \
	tests/e2e/storage.test.mjs \
	tests/e2e/sums.test.mjs \
	tests/e2e/told.test.mjs \
	tests/e2e/tokens.test.mjs \
	tests/e2e/top.test.mjs \
	tests/e2e/traces.test.mjs \
	tests/e2e/trespass.test.mjs \
	tests/e2e/translate.test.mjs \
	tests/e2e/upstreams.test.mjs \
	tests/e2e/verify.test.mjs

# recorded traffic and what replaying it printed
EXTRA_DIST += tests/data/replay.expected tests/data/replay.json tests/data/replay.ndjson tests/data/replay-two-keys.json

# in the browser, by node --test: script/test runs them
EXTRA_DIST += tests/browser/adapt.test.mjs tests/browser/board.test.mjs tests/browser/browser.mjs tests/browser/contrast.test.mjs tests/browser/documents.mjs tests/browser/frames.mjs tests/browser/hands.mjs tests/browser/heard.test.mjs tests/browser/hostile.test.mjs tests/browser/kept.test.mjs \
	tests/browser/keys_board.test.mjs tests/browser/keys_chat.test.mjs tests/browser/lighthouse.test.mjs \
	tests/browser/look_chat.test.mjs tests/browser/look_pages.test.mjs tests/browser/manage.test.mjs tests/browser/page.test.mjs tests/browser/pictures.mjs \
	tests/browser/refused.test.mjs tests/browser/shots tests/browser/shots.mjs tests/browser/smooth.test.mjs tests/browser/speed.test.mjs tests/browser/spread.test.mjs tests/browser/stage.mjs tests/browser/states.test.mjs tests/browser/talk.test.mjs \
	tests/browser/touch.test.mjs tests/browser/walk.test.mjs

# pictures for README.md, made by tests/browser/pictures.mjs
EXTRA_DIST += docs/images/chat.png docs/images/dashboard.png docs/images/dashboard-dark.png docs/images/monitoring.png docs/images/queued.png
