# cgi/web
libweir_a_SOURCES += \
	cgi/web/page.c cgi/web/page.h \
	cgi/web/page_parse.c cgi/web/page_parse.h
