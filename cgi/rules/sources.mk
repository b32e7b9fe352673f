# cgi/rules
libweir_a_SOURCES += \
	cgi/rules/gate.c cgi/rules/gate.h \
	cgi/rules/price.h \
	cgi/rules/provider.h \
	cgi/rules/tokens.h \
	cgi/rules/usage_tokens.h
