# share.mk - the data folder a running Weir reads (setting `data`, WEIR_DATA): links into the
# source tree under build/share, so that an edited template or style shows on reload;
# copies under $(pkgdatadir) once installed. What is made lies in share/ itself.
SHARE_FOLDERS = templates schema static/css static/js static/img
SHARE_FILES = static/manifest.webmanifest nginx.conf
VENDORED = $(top_srcdir)/static/vendor/VENDOR.json

all-local: share/links share/vendored

share/links: share.mk
	@$(MKDIR_P) share/static share/ranks
	@for f in $(SHARE_FOLDERS) $(SHARE_FILES); do \
		rm -f share/$$f && $(LN_S) "$$(cd $(top_srcdir) && pwd)/$$f" share/$$f || exit 1; done
	@touch $@

# A release carries the front-end packages; a checkout takes them from node_modules.
share/vendored: $(srcdir)/static/vendor.list $(srcdir)/tools/vendor.sh $(srcdir)/package-lock.json share/links
	$(AM_V_GEN)if test -f $(VENDORED); then \
		rm -rf share/static/vendor && cp -R $(top_srcdir)/static/vendor share/static/vendor && touch $@; \
	elif test -d $(top_srcdir)/node_modules; then \
		$(SHELL) $(srcdir)/tools/vendor.sh $(srcdir)/static/vendor.list $(top_srcdir)/node_modules share/static/vendor && \
		touch $@; \
	else \
		echo "  The front-end packages are missing, so pages will have no scripts: run 'npm ci --ignore-scripts' and make again."; \
	fi

clean-local:
	rm -rf share

# docs/settings.md and weir.json.example are what the program's own tables say.
docs: weir$(EXEEXT)
	./weir config doc > $(srcdir)/docs/settings.md
	./weir config example > $(srcdir)/weir.json.example

.PHONY: docs

EXTRA_DIST += nginx.conf package.json package-lock.json static/vendor.list tools/vendor.sh
