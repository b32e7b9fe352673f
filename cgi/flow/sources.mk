# cgi/flow
libweir_a_SOURCES += \
	cgi/flow/access.c \
	cgi/flow/admission.c cgi/flow/admission.h \
	cgi/flow/admit.c cgi/flow/admit.h \
	cgi/flow/admit_candidates.c \
	cgi/flow/admit_change.c \
	cgi/flow/admit_outlook.c \
	cgi/flow/admit_run.c \
	cgi/flow/admit_save.c \
	cgi/flow/admit_state.h \
	cgi/flow/admit_told.c \
	cgi/flow/admit_view.c \
	cgi/flow/alarm.c cgi/flow/alarm.h \
	cgi/flow/allowance.c \
	cgi/flow/attempt.c \
	cgi/flow/batch_estimate.c cgi/flow/batch_estimate.h \
	cgi/flow/batch_input.c cgi/flow/batch_input.h \
	cgi/flow/batch_line.c cgi/flow/batch_line.h \
	cgi/flow/batch_log.c cgi/flow/batch_log.h \
	cgi/flow/batch_run.c cgi/flow/batch_run.h \
	cgi/flow/conduct.c \
	cgi/flow/courier.c cgi/flow/courier.h \
	cgi/flow/engine.c cgi/flow/engine.h cgi/flow/engine_impl.h \
	cgi/flow/explain.c \
	cgi/flow/follow.c \
	cgi/flow/cache.c cgi/flow/cache.h cgi/flow/share.c \
	cgi/flow/once.c cgi/flow/once.h \
	cgi/flow/stream_log.c cgi/flow/stream_log.h \
	cgi/flow/gauge.c cgi/flow/gauge.h \
	cgi/flow/job.c cgi/flow/job.h \
	cgi/flow/lease.c cgi/flow/lease.h \
	cgi/flow/keeper.c cgi/flow/keeper.h \
	cgi/flow/loop.c \
	cgi/flow/marks.c \
	cgi/flow/meter.c \
	cgi/flow/models.c \
	cgi/flow/oplog.c cgi/flow/oplog.h \
	cgi/flow/pace.c \
	cgi/flow/probe.c \
	cgi/flow/purse.c \
	cgi/flow/relay.c cgi/flow/relay_wire.c \
	cgi/flow/reload.c \
	cgi/flow/replay.c cgi/flow/replay.h cgi/flow/replay_meter.c cgi/flow/replay_meter.h cgi/flow/replay_parts.c cgi/flow/replay_parts.h \
	cgi/flow/replay_sum.c cgi/flow/replay_sum.h \
	cgi/flow/erasure.c cgi/flow/erasure.h cgi/flow/retention.c cgi/flow/retention.h \
	cgi/flow/settle.c \
	cgi/flow/snapshot.c \
	cgi/flow/tally.c cgi/flow/tally.h \
	cgi/flow/trace.c cgi/flow/trace.h cgi/flow/trace_json.c \
	cgi/flow/tracer.c cgi/flow/tracer.h \
	cgi/flow/tuner.c cgi/flow/tuner.h \
	cgi/flow/writer.c cgi/flow/writer.h
