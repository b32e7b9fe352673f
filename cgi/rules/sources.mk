# cgi/rules
libweir_a_SOURCES += \
	cgi/rules/bpe.c cgi/rules/bpe.h \
	cgi/rules/gate.c cgi/rules/gate.h \
	cgi/rules/price.h \
	cgi/rules/provider.h \
	cgi/rules/ranks.c cgi/rules/ranks.h \
	cgi/rules/tokens.c cgi/rules/tokens.h \
	cgi/rules/tokens_encoding.h \
	cgi/rules/tokens_guess.c \
	cgi/rules/tokens_load.c \
	cgi/rules/tokens_model.c \
	cgi/rules/usage_tokens.h
