# cgi/peer
libweir_a_SOURCES += \
	cgi/peer/anthropic.c cgi/peer/anthropic_judge.c cgi/peer/anthropic_request.c \
	cgi/peer/anthropic_writer.c cgi/peer/anthropic.h \
	cgi/peer/builtin.c cgi/peer/builtin.h \
	cgi/peer/client.c cgi/peer/client.h \
	cgi/peer/fcgi_call.c cgi/peer/fcgi_call.h cgi/peer/fcgi_record.h \
	cgi/peer/head.c cgi/peer/head.h \
	cgi/peer/openai.c cgi/peer/openai_judge.c cgi/peer/openai_request.c cgi/peer/openai_responses.c \
	cgi/peer/openai_writer.c cgi/peer/openai.h \
	cgi/peer/otlp.c cgi/peer/otlp.h \
	cgi/peer/scan.c cgi/peer/scan.h \
	cgi/peer/sse.c cgi/peer/sse.h \
	cgi/peer/translate.c cgi/peer/translate.h cgi/peer/translate_impl.h cgi/peer/translate_to_chat.c cgi/peer/translate_to_messages.c \
	cgi/peer/upstream.c cgi/peer/upstream.h \
	cgi/peer/webhook.c cgi/peer/webhook.h \
	cgi/peer/weir_call.c cgi/peer/weir_call.h \
	cgi/peer/wire.c cgi/peer/wire.h
