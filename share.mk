# share.mk - the data folder a running Weir reads (setting `data`, WEIR_DATA): links into the
# source tree under build/share, so that an edited template or style shows on reload;
# copies under $(pkgdatadir) once installed. What is made lies in share/ itself.
SHARE_FOLDERS = templates schema static/css static/js static/img
SHARE_FILES = static/down.html static/manifest.webmanifest nginx.conf nginx-site.conf
VENDORED = $(top_srcdir)/static/vendor/VENDOR.json

all-local: share/links share/vendored

share/links: share.mk
	@$(MKDIR_P) share/static share/ranks
	@for f in $(SHARE_FOLDERS) $(SHARE_FILES); do \
		rm -f share/$$f && $(LN_S) "$$(cd $(top_srcdir) && pwd)/$$f" share/$$f || exit 1; done
	@touch $@

# A release carries the front-end packages; a checkout takes them from node_modules. Without, vendor.sh
# says what is missing and the build goes on: only pages need them.
share/vendored: $(srcdir)/static/vendor.list $(srcdir)/tools/vendor.sh $(srcdir)/package-lock.json share/links
	$(AM_V_GEN)if test -f $(VENDORED); then \
		rm -rf share/static/vendor && cp -R $(top_srcdir)/static/vendor share/static/vendor && touch $@; \
	elif $(SHELL) $(srcdir)/tools/vendor.sh $(srcdir)/static/vendor.list $(top_srcdir)/node_modules share/static/vendor; then \
		touch $@; \
	fi

clean-local:
	rm -rf share

# docs/settings.md, docs/weir.json.5, docs/export.md and weir.json.example are what the program's own tables say.
docs: weir$(EXEEXT)
	./weir config doc > $(srcdir)/docs/settings.md
	./weir config man > $(srcdir)/docs/weir.json.5
	./weir config columns > $(srcdir)/docs/export.md
	./weir config example > $(srcdir)/weir.json.example

# Installed and in a release the vendored packages are copies.
INSTALL_HOOKS += install-vendored
UNINSTALL_HOOKS += uninstall-vendored
install-vendored:
	@if test -d share/static/vendor; then \
		rm -rf '$(DESTDIR)$(pkgdatadir)/static/vendor' && $(MKDIR_P) '$(DESTDIR)$(pkgdatadir)/static' && \
		cp -R share/static/vendor '$(DESTDIR)$(pkgdatadir)/static/vendor'; fi
uninstall-vendored:
	@rm -rf '$(DESTDIR)$(pkgdatadir)/static/vendor'

dist-hook: dist-ranks share/vendored
	@test -d share/static/vendor || { echo "A release carries the front-end packages: run 'npm ci --ignore-scripts' first."; exit 1; }
	rm -rf $(distdir)/static/vendor && cp -R share/static/vendor $(distdir)/static/vendor
	chmod -R u+w $(distdir)/static/vendor

.PHONY: docs install-vendored uninstall-vendored

dist_pkgdata_DATA += nginx.conf nginx-site.conf
EXTRA_DIST += package.json package-lock.json static/vendor.list tools/vendor.sh
