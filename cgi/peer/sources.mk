# cgi/peer
