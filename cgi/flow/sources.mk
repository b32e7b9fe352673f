# cgi/flow
