# unit tests of cgi/rules
