# systemd's units. ExecStart has the path that the program is installed under.
dist_systemdsystemunit_DATA = systemd/weir.socket
nodist_systemdsystemunit_DATA = systemd/weir.service
EXTRA_DIST += systemd/weir.service.in
CLEANFILES += systemd/weir.service
systemd/weir.service: $(srcdir)/systemd/weir.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(SED) 's|@bindir[@]|$(bindir)|g' $(srcdir)/systemd/weir.service.in >$@
