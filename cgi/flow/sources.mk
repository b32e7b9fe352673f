# cgi/flow
libweir_a_SOURCES += \
	cgi/flow/admit.c cgi/flow/admit.h \
	cgi/flow/admit_save.c \
	cgi/flow/admit_state.h \
	cgi/flow/admit_told.c \
	cgi/flow/admit_view.c \
	cgi/flow/job.c cgi/flow/job.h \
	cgi/flow/keeper.c cgi/flow/keeper.h \
	cgi/flow/writer.c cgi/flow/writer.h
