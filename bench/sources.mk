# programs that measure
noinst_PROGRAMS += bench/load
bench_load_SOURCES = bench/load.c bench/load.h bench/load_net.c bench/load_requests.c bench/load_streams.c \
	bench/load_leave.c bench/hist.c bench/hist.h bench/watch.c bench/watch.h
bench_load_LDADD = libweir.a $(SQLITE_LIBS)
EXTRA_DIST += bench/relay bench/run bench/batch.mjs bench/browser.mjs bench/pages.mjs bench/run.mjs bench/results/2026-11-22.txt bench/results/2026-11-26.txt bench/results/2026-11-26b.txt bench/results/2026-11-26c.txt bench/results/2026-11-26d.txt bench/results/2026-11-26-relay.txt
noinst_PROGRAMS += bench/ledger
bench_ledger_SOURCES = bench/ledger.c
bench_ledger_LDADD = libweir.a $(WEIR_LIBS)
noinst_PROGRAMS += bench/admission
bench_admission_SOURCES = bench/admission.c tests/unit/sim.c tests/unit/sim.h tests/unit/strict.h
bench_admission_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
bench_admission_LDADD = libweir.a $(WEIR_LIBS) -lm
noinst_PROGRAMS += bench/tokens
bench_tokens_SOURCES = bench/tokens.c
bench_tokens_LDADD = libweir.a $(WEIR_LIBS)
