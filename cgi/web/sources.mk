# cgi/web
libweir_a_SOURCES += \
	cgi/web/admin.c cgi/web/admin.h \
	cgi/web/ask.c cgi/web/ask.h \
	cgi/web/store_keys.c cgi/web/store_keys.h \
	cgi/web/auth.c cgi/web/auth.h \
	cgi/web/batch_check.c cgi/web/batch_item.c cgi/web/batch_json.c cgi/web/batch_json.h cgi/web/batch_runs.c cgi/web/batch_runs.h cgi/web/batch_work.h cgi/web/batches.c cgi/web/batches.h \
	cgi/web/board.c cgi/web/board.h cgi/web/board_parts.c \
	cgi/web/candidate.c cgi/web/candidate.h \
	cgi/web/cmd.c cgi/web/cmd.h \
	cgi/web/cmd_audit.c \
	cgi/web/cmd_backup.c cgi/web/cmd_report.c \
	cgi/web/cmd_batch.c \
	cgi/web/cmd_config.c cgi/web/cmd_config.h \
	cgi/web/cmd_exec.c \
	cgi/web/cmd_reconcile.c \
	cgi/web/cmd_replay.c \
	cgi/web/cmd_serve.c \
	cgi/web/cmd_top.c \
	cgi/web/cmd_tune.c \
	cgi/web/cmd_people.c \
	cgi/web/cmd_person.c \
	cgi/web/copies.c cgi/web/copies.h \
	cgi/web/cmd_verify.c \
	cgi/web/embedded.c cgi/web/embedded.h \
	cgi/web/fcgi.c cgi/web/fcgi.h \
	cgi/web/field.c cgi/web/field.h \
	cgi/web/form.c cgi/web/form.h \
	cgi/web/h_alerts.c \
	cgi/web/filter.c cgi/web/filter.h \
	cgi/web/h_app.c \
	cgi/web/h_audit.c \
	cgi/web/h_budgets.c \
	cgi/web/h_chat.c \
	cgi/web/h_batches.c \
	cgi/web/h_board_now.c cgi/web/h_board_past.c \
	cgi/web/h_dashboard.c \
	cgi/web/h_files.c \
	cgi/web/h_follow.c \
	cgi/web/h_forecast.c cgi/web/h_handoff.c \
	cgi/web/h_health.c \
	cgi/web/h_live.c cgi/web/live.h \
	cgi/web/h_export.c \
	cgi/web/h_manage.c \
	cgi/web/h_metrics.c cgi/web/metrics.h \
	cgi/web/h_models.c \
	cgi/web/h_monitor.c \
	cgi/web/h_operations.c \
	cgi/web/h_outlook.c \
	cgi/web/h_page_batches.c \
	cgi/web/h_pages.c cgi/web/h_pages.h \
	cgi/web/h_person.c \
	cgi/web/h_prices.c \
	cgi/web/h_queue.c \
	cgi/web/h_reload.c \
	cgi/web/h_requests.c \
	cgi/web/h_retention.c \
	cgi/web/h_session.c \
	cgi/web/h_own.c \
	cgi/web/session.c cgi/web/session.h \
	cgi/web/h_tokens.c \
	cgi/web/h_usage.c \
	cgi/web/h_users.c \
	cgi/web/h_v1.c \
	cgi/web/h_v1_messages.c cgi/web/h_v1_models.c \
	cgi/web/h_webhooks.c \
	cgi/web/http.c cgi/web/http.h \
	cgi/web/launch.c cgi/web/launch.h \
	cgi/web/local.c cgi/web/local.h \
	cgi/web/manage.h cgi/web/manage_sections.c \
	cgi/web/monitor.h \
	cgi/web/nginx_conf.c cgi/web/nginx_conf.h \
	cgi/web/once.c cgi/web/once.h \
	cgi/web/page.c cgi/web/page.h \
	cgi/web/page_parse.c cgi/web/page_parse.h \
	cgi/web/pages.c cgi/web/pages.h \
	cgi/web/people.c cgi/web/people.h \
	cgi/web/prices.c cgi/web/prices.h \
	cgi/web/prom.c cgi/web/prom.h \
	cgi/web/reach.c cgi/web/reach.h \
	cgi/web/reload.c cgi/web/reload.h \
	cgi/web/replay_print.c cgi/web/replay_print.h \
	cgi/web/route.c cgi/web/route.h \
	cgi/web/signin.c cgi/web/signin.h \
	cgi/web/snapshot_json.c cgi/web/snapshot_json.h \
	cgi/web/monitor.h \
	cgi/web/title.c cgi/web/title.h \
	cgi/web/v1.c cgi/web/v1.h cgi/web/v1_body.c cgi/web/v1_count.c cgi/web/v1_count.h \
	cgi/web/view.c cgi/web/view.h \
	cgi/web/view_chat.c cgi/web/view_chat.h \
	cgi/web/view_engine.c cgi/web/view_engine.h \
	cgi/web/web.c cgi/web/web.h

bin_PROGRAMS += weir
weir_SOURCES = cgi/web/main.c
weir_LDADD = libweir.a $(WEIR_LIBS)
