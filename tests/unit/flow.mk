# unit tests of cgi/flow
check_PROGRAMS += tests/unit/test_admit
tests_unit_test_admit_SOURCES = tests/unit/test_admit.c tests/unit/unit.h
tests_unit_test_admit_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_admit_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_engine
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c tests/unit/fixture_call.h tests/unit/fixture_db.h tests/unit/unit.h
tests_unit_test_engine_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_engine_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_steady
tests_unit_test_steady_SOURCES = tests/unit/test_steady.c tests/unit/sim.c tests/unit/sim.h tests/unit/strict.h tests/unit/unit.h
tests_unit_test_steady_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_steady_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_writer
tests_unit_test_writer_SOURCES = tests/unit/test_writer.c tests/unit/unit.h tests/unit/fixture_db.h
tests_unit_test_writer_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_writer_LDADD = $(UNIT_LDADD)
