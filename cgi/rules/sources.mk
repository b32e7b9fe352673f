# cgi/rules
libweir_a_SOURCES += \
	cgi/rules/usage_tokens.h
