# unit tests of cgi/store
