# cgi/flow
libweir_a_SOURCES += \
	cgi/flow/job.c cgi/flow/job.h
