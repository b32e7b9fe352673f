# unit tests of cgi/web
