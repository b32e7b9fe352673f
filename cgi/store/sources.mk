# cgi/store
