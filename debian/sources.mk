# The Debian package, built from a release so that what is missing in one shows; node_modules is needed only here.
EXTRA_DIST += debian/README.Debian debian/changelog debian/control debian/copyright debian/postinst debian/postrm \
	debian/prerm debian/rules debian/weir.lintian-overrides debian/source/format tests/package.sh

deb: dist
	rm -rf deb && mkdir deb && tar -xf $(distdir).tar.gz -C deb
	cd deb/$(distdir) && CC="$(CC)" DEB_BUILD_OPTIONS="nocheck parallel=$$(nproc)" dpkg-buildpackage -b -d -us -uc >../log 2>&1 || { tail -n 40 ../log; exit 1; }
	@ls deb/*.deb

# Install it in a copy of this system, start what it brings, chat, and take it away again.
check-deb: deb
	$(SHELL) $(srcdir)/tests/package.sh deb

clean-local: clean-deb
clean-deb:
	rm -rf deb
.PHONY: deb check-deb clean-deb
