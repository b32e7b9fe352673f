# unit tests of cgi/rules
check_PROGRAMS += tests/unit/test_tokens tests/unit/test_tokens_exact
tests_unit_test_tokens_SOURCES = tests/unit/test_tokens.c tests/unit/unit.h
tests_unit_test_tokens_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_tokens_LDADD = $(UNIT_LDADD)
tests_unit_test_tokens_exact_SOURCES = tests/unit/test_tokens_exact.c tests/unit/unit.h
tests_unit_test_tokens_exact_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_tokens_exact_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_price
tests_unit_test_price_SOURCES = tests/unit/test_price.c tests/unit/unit.h
tests_unit_test_price_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_price_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_hist
tests_unit_test_hist_SOURCES = tests/unit/test_hist.c tests/unit/unit.h
tests_unit_test_hist_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_hist_LDADD = $(UNIT_LDADD)
