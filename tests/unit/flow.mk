# unit tests of cgi/flow
check_PROGRAMS += tests/unit/test_admit
tests_unit_test_admit_SOURCES = tests/unit/test_admit.c tests/unit/unit.h
tests_unit_test_admit_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_admit_LDADD = $(UNIT_LDADD)
