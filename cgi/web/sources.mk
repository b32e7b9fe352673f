# cgi/web
libweir_a_SOURCES += \
	cgi/web/cmd_config.c cgi/web/cmd_config.h \
	cgi/web/fcgi.c cgi/web/fcgi.h \
	cgi/web/field.c cgi/web/field.h \
	cgi/web/http.c cgi/web/http.h \
	cgi/web/nginx_conf.c cgi/web/nginx_conf.h \
	cgi/web/page.c cgi/web/page.h \
	cgi/web/page_parse.c cgi/web/page_parse.h \
	cgi/web/view.c cgi/web/view.h \
	cgi/web/view_chat.c cgi/web/view_chat.h \
	cgi/web/view_engine.c cgi/web/view_engine.h
