# cgi/rules
libweir_a_SOURCES += \
	cgi/rules/usage_tokens.h
libweir_a_SOURCES += \
	cgi/rules/gate.c cgi/rules/gate.h \
	cgi/rules/usage_tokens.h
