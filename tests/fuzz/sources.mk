# fuzz targets: make check replays their corpus, make fuzz lets libFuzzer look for more (clang)
check_PROGRAMS += tests/fuzz/fuzz_answer
tests_fuzz_fuzz_answer_SOURCES = tests/fuzz/fuzz_answer.c tests/fuzz/fuzz.h tests/fuzz/replay.c
tests_fuzz_fuzz_answer_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"answer"'
tests_fuzz_fuzz_answer_LDADD = libweir.a $(WEIR_LIBS)
EXTRA_DIST += tests/fuzz/corpus

FUZZ_SECONDS = 60
FUZZ_CLANG = clang-14
.PHONY: fuzz
fuzz:
	$(FUZZ_CLANG) -g -O1 -std=c11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-I$(srcdir)/cgi -I$(srcdir)/tests/fuzz -o tests/fuzz/fuzz_answer-libfuzzer $(srcdir)/tests/fuzz/fuzz_answer.c \
		$(srcdir)/cgi/peer/sse.c $(srcdir)/cgi/peer/scan.c $(srcdir)/cgi/peer/openai.c $(srcdir)/cgi/peer/head.c \
		$(srcdir)/cgi/base/sb.c $(srcdir)/cgi/base/utf8.c -lcurl
	mkdir -p tests/fuzz/found/answer
	tests/fuzz/fuzz_answer-libfuzzer -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=1 \
		tests/fuzz/found/answer $(srcdir)/tests/fuzz/corpus/answer
CLEANFILES += tests/fuzz/fuzz_answer-libfuzzer
