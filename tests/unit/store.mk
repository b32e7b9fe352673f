# unit tests of cgi/store
EXTRA_DIST += tests/unit/fixture_db.h
check_PROGRAMS += tests/unit/test_db
tests_unit_test_db_SOURCES = tests/unit/test_db.c tests/unit/unit.h tests/unit/fixture_db.h
tests_unit_test_db_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_db_LDADD = $(UNIT_LDADD)
