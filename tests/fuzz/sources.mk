# fuzz targets: make check replays what is kept in corpus/, make fuzz lets libFuzzer look for more (clang)
FUZZ_TARGETS = \
	tests/fuzz/fuzz_answer \
	tests/fuzz/fuzz_import \
	tests/fuzz/fuzz_limits \
	tests/fuzz/fuzz_page \
	tests/fuzz/fuzz_request \
	tests/fuzz/fuzz_settings \
	tests/fuzz/fuzz_told \
	tests/fuzz/fuzz_translate \
	tests/fuzz/fuzz_web
check_PROGRAMS += $(FUZZ_TARGETS)
if FUZZER
FUZZ_MAIN =
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/replay.c
FUZZ_LINK = $(AM_LDFLAGS)
endif
FUZZ_LIBS = libweir.a $(WEIR_LIBS)
tests_fuzz_fuzz_answer_SOURCES = tests/fuzz/fuzz_answer.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_answer_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_answer_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_import_SOURCES = tests/fuzz/fuzz_import.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_import_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_import_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_limits_SOURCES = tests/fuzz/fuzz_limits.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_limits_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_limits_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_page_SOURCES = tests/fuzz/fuzz_page.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_page_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_page_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_request_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_request_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_settings_SOURCES = tests/fuzz/fuzz_settings.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_settings_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_settings_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_told_SOURCES = tests/fuzz/fuzz_told.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_told_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_told_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_translate_SOURCES = tests/fuzz/fuzz_translate.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_translate_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_translate_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_web_SOURCES = tests/fuzz/fuzz_web.c tests/fuzz/fuzz.h $(FUZZ_MAIN)
tests_fuzz_fuzz_web_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_web_LDADD = $(FUZZ_LIBS)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/replay.c tests/fuzz/run.sh

# In a build folder of its own, fuzz/, with a jansson that is instrumented too.
FUZZ_SECONDS = 60
fuzz:
	srcdir=$(srcdir) FUZZ_SECONDS=$(FUZZ_SECONDS) sh $(srcdir)/tests/fuzz/run.sh $(FUZZ_TARGETS)
.PHONY: fuzz
