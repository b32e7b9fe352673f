# the provider stand-in and the lints
noinst_PROGRAMS += tests/upstream/upstream
tests_upstream_upstream_SOURCES = tests/upstream/upstream.c \
	tests/upstream/call.c tests/upstream/call.h \
	tests/upstream/chat.c tests/upstream/chat.h \
	tests/upstream/judge.c tests/upstream/judge.h \
	tests/upstream/limits.c tests/upstream/limits.h \
	tests/upstream/net.c tests/upstream/net.h \
	tests/upstream/plan.c tests/upstream/plan.h \
	tests/upstream/wheel.c tests/upstream/wheel.h
tests_upstream_upstream_LDADD = libweir.a $(JANSSON_LIBS)
