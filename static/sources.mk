# static: what the browser loads. Vendored packages are copied beside it by the build.
nobase_dist_pkgdata_DATA = static/manifest.webmanifest static/img/icon.svg
nobase_dist_pkgdata_DATA += \
	static/css/base.css \
	static/css/chat.css \
	static/css/dashboard.css \
	static/css/doc.css \
	static/css/markdown.css \
	static/css/tokens.css
nobase_dist_pkgdata_DATA += \
	static/js/announce.js \
	static/js/api.js \
	static/js/attach.js \
	static/js/boot.js \
	static/js/branch.js \
	static/js/charts.js \
	static/js/chat.js \
	static/js/composer.js \
	static/js/copy.js \
	static/js/dashboard.js \
	static/js/dom.js \
	static/js/estimate.js \
	static/js/explain.js \
	static/js/format.js \
	static/js/gauge.js \
	static/js/header.js \
	static/js/highlight.js \
	static/js/keys.js \
	static/js/lazy.js \
	static/js/live.js \
	static/js/login.js \
	static/js/manage.js \
	static/js/markdown.js \
	static/js/math.js \
	static/js/metrics.js \
	static/js/monitor.js \
	static/js/prefs.js \
	static/js/reach.js \
	static/js/run.js \
	static/js/scroll.js \
	static/js/search.js \
	static/js/select.js \
	static/js/sessions.js \
	static/js/settings.js \
	static/js/shell.js \
	static/js/signedout.js \
	static/js/status.js \
	static/js/texts.js \
	static/js/turn.js \
	static/js/undo.js
nobase_dist_pkgdata_DATA += \
	templates/boot.mustache \
	templates/chat.mustache \
	templates/cost_table.mustache \
	templates/dashboard.mustache \
	templates/gauge.mustache \
	templates/head.mustache \
	templates/help.mustache \
	templates/icons.mustache \
	templates/login.mustache \
	templates/manage.mustache \
	templates/msg_answer.mustache \
	templates/msg_user.mustache \
	templates/problem.mustache \
	templates/regions.mustache \
	templates/session.mustache \
	templates/settings.mustache \
	templates/top.mustache
