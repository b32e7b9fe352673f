# cgi/store
# In the order in which they are applied.
SCHEMA = \
	schema/001_first.sql \
	schema/002_budgets.sql \
	schema/003_waited.sql \
	schema/004_attempt_choice.sql \
	schema/005_token_usage_view.sql \
	schema/006_spans.sql \
	schema/007_alerts.sql \
	schema/008_seals.sql \
	schema/009_audit_mac.sql \
	schema/010_retention.sql \
	schema/011_omitted.sql \
	schema/012_people.sql \
	schema/013_idempotency.sql \
	schema/014_own_prices.sql \
	schema/015_anomaly_rule.sql \
	schema/016_saved.sql \
	schema/017_lean.sql \
	schema/018_words.sql \
	schema/019_signed_in_by.sql \
	schema/020_suspect_rule.sql \
	schema/021_marked.sql \
	schema/022_weight.sql \
	schema/023_short_ids.sql \
	schema/024_operations.sql \
	schema/025_batches.sql \
	schema/026_handoff.sql \
	schema/027_made_by.sql \
	schema/028_batch_input.sql \
	schema/029_files_batch.sql \
	schema/030_batch_saved.sql \
	schema/031_monitor.sql schema/032_batch_budget.sql
libweir_a_SOURCES += \
	cgi/store/account.c cgi/store/account.h cgi/store/account_list.c cgi/store/account_secret.c cgi/store/account_write.c \
	cgi/store/alert_rules.c cgi/store/alerts.c cgi/store/alerts.h \
	cgi/store/anonymous.c cgi/store/anonymous.h \
	cgi/store/audit.c cgi/store/audit.h cgi/store/audit_chain.h cgi/store/audit_check.c \
	cgi/store/batches.c cgi/store/batches.h cgi/store/batch_items.c cgi/store/batch_items.h \
	cgi/store/bill.c cgi/store/bill.h cgi/store/bill_csv.c cgi/store/bill_json.c cgi/store/bill_row.h \
	cgi/store/blob.c cgi/store/blob.h \
	cgi/store/budgets.c cgi/store/budgets.h cgi/store/budgets_file.c cgi/store/budgets_load.c cgi/store/budgets_row.h \
	cgi/store/content.c cgi/store/content.h cgi/store/content_key.c cgi/store/content_key.h \
	cgi/store/convo.c cgi/store/convo.h cgi/store/convo_handoff.c cgi/store/convo_messages.c \
	cgi/store/convo_name.c cgi/store/convo_name.h \
	cgi/store/convo_tree.c cgi/store/convo_tree.h \
	cgi/store/db.c cgi/store/db.h cgi/store/db_impl.h cgi/store/db_migrate.c cgi/store/db_query.c \
	cgi/store/demand.c cgi/store/demand.h \
	cgi/store/event_key.c cgi/store/event_key.h \
	cgi/store/event_row.c cgi/store/event_row.h \
	cgi/store/files.c cgi/store/files.h \
	cgi/store/idempotency.c cgi/store/idempotency.h \
	cgi/store/lease.c cgi/store/lease.h \
	cgi/store/keymap.c cgi/store/keymap.h \
	cgi/store/ledger.c cgi/store/ledger.h \
	cgi/store/list.c cgi/store/list.h \
	cgi/store/own_prices.c cgi/store/own_prices.h \
	cgi/store/period.c cgi/store/period.h \
	cgi/store/person.c cgi/store/person.h cgi/store/person_erase.c \
	cgi/store/pseudonym.c cgi/store/pseudonym.h \
	cgi/store/reconcile.c cgi/store/reconcile.h cgi/store/reconcile_impl.h cgi/store/reconcile_told.c \
	cgi/store/record.c cgi/store/record.h \
	cgi/store/report.h cgi/store/report_cost.c cgi/store/report_export.c cgi/store/report_export.h cgi/store/report_filter.c cgi/store/report_forecast.c \
	cgi/store/report_history.c \
	cgi/store/report_list.c cgi/store/report_list.h cgi/store/report_past.c cgi/store/report_past.h \
	cgi/store/report_performance.c \
	cgi/store/report_request.c cgi/store/report_rows.c cgi/store/report_scan.c cgi/store/report_scan.h cgi/store/report_sessions.c \
	cgi/store/report_sessions.h cgi/store/report_trend.c cgi/store/report_upstreams.c cgi/store/report_usage.c \
	cgi/store/spans.c cgi/store/spans.h \
	cgi/store/retain.c cgi/store/retain.h \
	cgi/store/spill.c cgi/store/spill.h cgi/store/spill_line.c cgi/store/spill_line.h \
	cgi/store/seal.c cgi/store/seal.h \
	cgi/store/keysum.c cgi/store/keysum.h \
	cgi/store/traffic.c cgi/store/traffic.h cgi/store/traffic_file.c \
	cgi/store/session_use.c cgi/store/session_use.h \
	cgi/store/upkeep.c cgi/store/upkeep.h \
	cgi/store/usage.c cgi/store/usage.h cgi/store/usage_impl.h cgi/store/usage_import.c cgi/store/usage_recover.c cgi/store/usage_settle.c \
	cgi/store/waited.c cgi/store/waited.h \
	cgi/store/verify.c cgi/store/verify.h cgi/store/verify_impl.h cgi/store/verify_quarter.c \
	cgi/store/verify_rest.c cgi/store/verify_session.c cgi/store/verify_spans.c cgi/store/verify_told.c \
	cgi/store/webhooks.c cgi/store/webhooks.h \
	cgi/store/zone.c cgi/store/zone.h
nodist_libweir_a_SOURCES += cgi/store/schema_sql.c

# The migrations become part of the program, so that it needs no file of them at run time.
cgi/store/schema_sql.c: $(SCHEMA)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && { \
	  echo '/* Made from schema/ by the build. */'; \
	  echo '#include "store/db_impl.h"'; \
	  echo 'const struct db_migration db_migrations[] = {'; \
	  n=0; for f in $(SCHEMA); do n=`expr $$n + 1`; \
	    case $$f in *.sql) p=$(srcdir)/$$f; test -f "$$p" || p=$$f;; esac; \
	    echo "{$$n, \"`basename $$f .sql`\","; \
	    $(SED) -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' "$$p"; \
	    echo '},'; \
	  done; \
	  echo '{0, 0, 0}};'; } > $@.tmp && mv $@.tmp $@

CLEANFILES += cgi/store/schema_sql.c
EXTRA_DIST += $(SCHEMA)
schemadir = $(pkgdatadir)/schema
schema_DATA = $(SCHEMA)
