# cgi/rules
