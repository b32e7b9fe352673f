# unit tests of cgi/flow
