# cgi/peer
libweir_a_SOURCES += cgi/peer/builtin.h
