# cgi/base: no idea of Weir in it
libweir_a_SOURCES += \
	cgi/base/clock.c cgi/base/clock.h \
	cgi/base/err.c cgi/base/err.h \
	cgi/base/json.c cgi/base/json.h \
	cgi/base/log.c cgi/base/log.h \
	cgi/base/mem.c cgi/base/mem.h \
	cgi/base/rand.c cgi/base/rand.h \
	cgi/base/sb.c cgi/base/sb.h \
	cgi/base/sha256.c cgi/base/sha256.h
