# cgi/store
libweir_a_SOURCES += \
	cgi/store/account.h \
	cgi/store/convo.h \
	cgi/store/db.h \
	cgi/store/record.h \
	cgi/store/report.h \
	cgi/store/usage.h \
	cgi/store/zone.h
