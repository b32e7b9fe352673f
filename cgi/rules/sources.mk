# cgi/rules
libweir_a_SOURCES += \
	cgi/rules/alert.c cgi/rules/alert.h \
	cgi/rules/arrivals.c cgi/rules/arrivals.h \
	cgi/rules/bpe.c cgi/rules/bpe.h \
	cgi/rules/budget.c cgi/rules/budget.h \
	cgi/rules/bucket.c cgi/rules/bucket.h \
	cgi/rules/callers.c cgi/rules/callers.h \
	cgi/rules/choice.c cgi/rules/choice.h \
	cgi/rules/delay.c cgi/rules/delay.h \
	cgi/rules/context.c cgi/rules/context.h \
	cgi/rules/eliza.c cgi/rules/eliza.h \
	cgi/rules/eliza_script.c cgi/rules/eliza_script.h \
	cgi/rules/eliza_words.c cgi/rules/eliza_words.h \
	cgi/rules/forecast.c cgi/rules/forecast.h \
	cgi/rules/gate.c cgi/rules/gate.h \
	cgi/rules/heap.c cgi/rules/heap.h \
	cgi/rules/hist.c cgi/rules/hist.h \
	cgi/rules/idmap.c cgi/rules/idmap.h \
	cgi/rules/image.c cgi/rules/image.h \
	cgi/rules/learned.c cgi/rules/learned.h \
	cgi/rules/limits.c cgi/rules/limits.h cgi/rules/limits_inside.h \
	cgi/rules/limits_spread.c \
	cgi/rules/limits_told.c \
	cgi/rules/limits_use.c \
	cgi/rules/outlook.c cgi/rules/outlook.h \
	cgi/rules/pick.c cgi/rules/pick.h cgi/rules/pick_inside.h \
	cgi/rules/pick_spread.c cgi/rules/pick_where.c \
	cgi/rules/plausible.c cgi/rules/plausible.h \
	cgi/rules/price.c cgi/rules/price.h \
	cgi/rules/price_load.c cgi/rules/price_table.h \
	cgi/rules/provider.h \
	cgi/rules/promise.c cgi/rules/promise.h \
	cgi/rules/queue.c cgi/rules/queue.h \
	cgi/rules/ranks.c cgi/rules/ranks.h \
	cgi/rules/retry.c cgi/rules/retry.h \
	cgi/rules/session_tokens.c cgi/rules/session_tokens.h \
	cgi/rules/stabilize.c cgi/rules/stabilize.h \
	cgi/rules/tokens.c cgi/rules/tokens.h \
	cgi/rules/tokens_encoding.h \
	cgi/rules/tokens_guess.c \
	cgi/rules/tokens_load.c \
	cgi/rules/tokens_model.c \
	cgi/rules/trend.c cgi/rules/trend.h \
	cgi/rules/usage_tokens.h \
	cgi/rules/window.c cgi/rules/window.h
