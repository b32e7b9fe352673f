# cgi/web
