# unit tests of cgi/base
check_PROGRAMS += tests/unit/test_sb
tests_unit_test_sb_SOURCES = tests/unit/test_sb.c tests/unit/unit.h
tests_unit_test_sb_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sb_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_sha256
tests_unit_test_sha256_SOURCES = tests/unit/test_sha256.c tests/unit/unit.h
tests_unit_test_sha256_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sha256_LDADD = $(UNIT_LDADD)
