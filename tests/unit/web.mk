# unit tests of cgi/web
check_PROGRAMS += tests/unit/test_page tests/unit/test_page_spec
tests_unit_test_page_SOURCES = tests/unit/test_page.c tests/unit/unit.h
tests_unit_test_page_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_page_LDADD = $(UNIT_LDADD)
tests_unit_test_page_spec_SOURCES = tests/unit/test_page_spec.c
tests_unit_test_page_spec_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_page_spec_LDADD = $(UNIT_LDADD)
