# unit tests of cgi/peer
