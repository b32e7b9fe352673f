# unit tests of cgi/store
STORE_FIXTURES = tests/unit/fixture_call.h tests/unit/fixture_db.h

check_PROGRAMS += tests/unit/test_account
tests_unit_test_account_SOURCES = tests/unit/test_account.c tests/unit/unit.h $(STORE_FIXTURES)
tests_unit_test_account_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_account_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_db
tests_unit_test_db_SOURCES = tests/unit/test_db.c tests/unit/unit.h $(STORE_FIXTURES)
tests_unit_test_db_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_db_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_usage
tests_unit_test_usage_SOURCES = tests/unit/test_usage.c tests/unit/unit.h $(STORE_FIXTURES)
tests_unit_test_usage_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_usage_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_convo
tests_unit_test_convo_SOURCES = tests/unit/test_convo.c tests/unit/unit.h $(STORE_FIXTURES)
tests_unit_test_convo_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_convo_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_upkeep
tests_unit_test_upkeep_SOURCES = tests/unit/test_upkeep.c tests/unit/unit.h tests/unit/fixture_db.h
tests_unit_test_upkeep_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_upkeep_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_report
tests_unit_test_report_SOURCES = tests/unit/test_report.c tests/unit/unit.h $(STORE_FIXTURES)
tests_unit_test_report_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_report_LDADD = $(UNIT_LDADD)
