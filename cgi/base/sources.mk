# cgi/base: no idea of Weir in it, but for its settings
libweir_a_SOURCES += \
	cgi/base/address.c cgi/base/address.h \
	cgi/base/broken.h \
	cgi/base/cfg.c cgi/base/cfg.h cgi/base/cfg_value.c \
	cgi/base/clock.c cgi/base/clock.h \
	cgi/base/csv.c cgi/base/csv.h \
	cgi/base/decimal.c cgi/base/decimal.h \
	cgi/base/err.c cgi/base/err.h \
	cgi/base/file.c cgi/base/file.h \
	cgi/base/json.c cgi/base/json.h \
	cgi/base/keyfile.c cgi/base/keyfile.h \
	cgi/base/log.c cgi/base/log.h \
	cgi/base/mem.c cgi/base/mem.h \
	cgi/base/password.c cgi/base/password.h \
	cgi/base/rand.c cgi/base/rand.h \
	cgi/base/sb.c cgi/base/sb.h \
	cgi/base/service.c cgi/base/service.h \
	cgi/base/settings.c cgi/base/settings.h \
	cgi/base/settings_budgets.c cgi/base/settings_change.c \
	cgi/base/settings_doc.c cgi/base/settings_edit.c cgi/base/settings_edit.h cgi/base/settings_env.c \
	cgi/base/settings_man.c cgi/base/settings_models.c \
	cgi/base/settings_options.c cgi/base/settings_options.h \
	cgi/base/utf8.c cgi/base/utf8.h
