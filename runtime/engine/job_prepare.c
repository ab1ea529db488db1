/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/job_prepare -- everything a run needs, read once, and the fence raised, before it
 * starts.
 */
#include "engine/hooks_message.h"
#include "engine/job_internal.h"
#include "engine/kind.h"
#include "engine/outcome.h"
#include "engine/specs.h"
#include "engine/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "run/cause.h"
#include "store/connection.h"
#include "store/environment.h"
#include "store/checkpoint.h"
#include "store/fence.h"
#include "store/sync.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct preparing {
	struct job *job;
	struct db *control, *data;
	struct sync *sync;
	struct connection *connection;
	struct refresh_state grant;
	struct environment *env;
	struct fence fence;
	const struct spec *spec;
};

static int
prepare_rows(struct preparing *p, struct error *err)
{
	struct job *job = p->job;

	if (sync_find(job, p->control, job->claim.sync_id, &p->sync, err) < 0 ||
	    refresh_find(job, p->control, job->claim.connection_row, &p->connection, &p->grant,
			 err) < 0 ||
	    environment_find(job, p->control, job->claim.environment_id, &p->env, err) < 0)
		return -1;
	job->sync = p->sync;
	snprintf(job->label, sizeof(job->label), "run %" PRId64 " (%s of %s/%s)",
		 job->claim.run_id, p->sync->name, p->sync->integration_key,
		 p->sync->connection_id);
	return 0;
}

/* A run keeps the build of its first claim, whatever is deployed meanwhile. */
static int
prepare_build(struct preparing *p, struct error *err)
{
	struct job *job = p->job;
	const struct spec_sync *sync;

	if (!job->claim.has_build)
		return error_set(err, ERR_NOT_FOUND,
				 "integration \"%s\" has no plugin deployed",
				 p->sync->integration_key);
	memcpy(job->sha256, job->claim.sha256, sizeof(job->sha256));
	crypto_hex(job->build_key, job->sha256, sizeof(job->sha256));
	if (specs_find(job, p->control, job->sha256, &p->spec, err) < 0)
		return -1;
	sync = spec_sync(p->spec, p->sync->name);
	if (sync != NULL)
		job->start.models = sync->models; /* whom a failure from here on concerns */
	return 0;
}

static int
prepare_fence(struct preparing *p, struct error *err)
{
	struct job *job = p->job;

	if (fence_raise(job, p->data, job->claim.connection_row, job->claim.run_id,
			job->claim.token, &p->fence, err) < 0)
		return -1;
	job->is_over = strcmp(p->fence.state, "open") != 0;
	return 0;
}

static int
prepare_ingest(struct preparing *p, struct error *err)
{
	struct job *job = p->job;
	const struct vault_place place = {p->env->id, "environment", "record_key"};
	char *key;
	size_t length;

	if (vault_unseal(job, job->node->vault, &place, p->env->record_key,
			 p->env->record_key_length, &key, &length, err) < 0)
		return -1;
	if (length != CRYPTO_KEY_BYTES)
		return error_set(err, ERR_DECRYPT, "the environment's record key has %zu bytes",
				 length);
	job->ingest = ingest_new();
	job->ingest->data = job->node->data;
	job->ingest->budget = &job->node->manifests;
	job->ingest->guard_percent = job->node->config->delete_guard_percent;
	job->ingest->connection_row = job->claim.connection_row;
	job->ingest->run_id = job->claim.run_id;
	job->ingest->token = job->claim.token;
	job->ingest->variant = talloc_strdup(job->ingest, p->sync->variant);
	job->ingest->checkpoint_key =
	    worker_checkpoint_key(job->ingest, p->sync->name, p->sync->variant);
	job->ingest->pages = p->fence.pages;
	ingest_set_counts(job->ingest, p->fence.result);
	ingest_set_secret(job->ingest, p->env->id, (const unsigned char *)key,
			  strcmp(job->node->config->records_encryption, "on") == 0);
	talloc_free(key);
	return 0;
}

/* What webhooks say of this run. */
static void
prepare_facts(struct preparing *p)
{
	struct ingest *ingest = p->job->ingest;
	const struct hooks_run run = {.connection_id = p->connection->connection_id,
				      .integration_key = p->sync->integration_key,
				      .sync = p->sync->name,
				      .variant = p->sync->variant,
				      .checkpoint = p->job->start.checkpoint,
				      .started_ms = clock_wall_ms()};

	ingest->facts = hooks_run_facts(ingest, &run);
}

static int
prepare_start(struct preparing *p, struct error *err)
{
	struct job *job = p->job;
	const struct config *config = job->node->config;
	const struct spec_sync *sync;

	sync = spec_sync(p->spec, p->sync->name);
	if (sync == NULL)
		return error_set(err, ERR_UNKNOWN_SYNC,
				 "the deployed plugin has no sync \"%s\" any more",
				 p->sync->name);
	ingest_set_spec(job->ingest, p->spec);
	for (const char *const *model = sync->models; *model != NULL; model++)
		ingest_add_model(job->ingest, *model);
	job->force_deletes = job->claim.force_deletes;
	job->ingest->may_delete_all = job->force_deletes;
	job->tracks_deletes = sync->tracks_deletes;
	if (job->tracks_deletes && ingest_open_windows(job->ingest, sync->models, err) < 0)
		return -1;
	job->start = (struct run_start){
	    .id = talloc_asprintf(job, "%" PRId64, job->claim.run_id),
	    .kind = (int)job->claim.kind,
	    .function = sync->name,
	    .connection_id = p->connection->connection_id,
	    .metadata = p->connection->metadata,
	    .models = sync->models,
	    /* Of the run, not of the attempt: what earlier ones took, parked or not, is gone.
	     */
	    .deadline_ms = kind_deadline_ms(config, job->claim.kind) - job->claim.started_ms,
	    .may_park = job->claim.kind == QUEUE_KIND_SYNC,
	    .cpu_ms = config->sync_cpu_ms,
	    .memory_bytes = (size_t)config->run_memory_bytes,
	};
	/* Before the checkpoint is read: who removes what is not in use clears both or none. */
	if (dataset_touch(p->data, job->claim.connection_row, p->sync->variant, sync->models,
			  job->ingest->checkpoint_key, err) < 0 ||
	    checkpoint_get(job, p->data, job->claim.connection_row, job->ingest->checkpoint_key,
			   &job->start.checkpoint, &job->ingest->checkpoint_version, err) < 0)
		return -1;
	prepare_facts(p);
	return 0;
}

/* The run had ended before its node died: what the control row still lacks. */
static int
read_outcome(struct preparing *p, struct error *err)
{
	struct job *job = p->job;

	job->outcome.run_id = job->claim.run_id;
	job->outcome.token = job->claim.token;
	return outcome_read(job, &p->fence, &job->outcome, err);
}

/* A run that no node could carry to an end must not go round for ever, and one that waited too
 * long is not wanted any more. The fence was raised: no earlier attempt writes anything. */
static int
check_claim(struct preparing *p, struct error *err)
{
	const struct run_claim *claim = &p->job->claim;
	const struct config *config = p->job->node->config;
	int64_t start_ms = kind_start_ms(config, claim->kind);

	if (claim->attempts > config->run_attempts_max)
		return error_set(err, ERR_EXPIRED,
				 "the run was begun %" PRId64 " times and never came to an end",
				 claim->attempts - 1);
	if (claim->started_ms >= kind_deadline_ms(config, claim->kind))
		return error_set(
		    err, ERR_EXPIRED,
		    "the run was begun %" PRId64
		    " s ago, parked and begun again, and that is longer than its limit",
		    claim->started_ms / 1000);
	if (claim->started_ms == 0 && claim->waited_ms > start_ms)
		return error_set(err, ERR_EXPIRED,
				 "the run waited for %" PRId64 " ms; after %" PRId64
				 " ms it is not started any more",
				 claim->waited_ms, start_ms);
	return 0;
}

static int
prepare_all(struct preparing *p, struct error *err)
{
	if (prepare_rows(p, err) < 0 || prepare_build(p, err) < 0 || prepare_fence(p, err) < 0)
		return -1;
	if (p->job->is_over)
		return read_outcome(p, err);
	if (check_claim(p, err) < 0 || prepare_ingest(p, err) < 0 || prepare_start(p, err) < 0)
		return -1;
	return job_target_open(p->job, p->connection, &p->grant, err);
}

/* A database that is away, or busy, is no fault of the run: it goes back to the queue. */
static bool
is_passing(enum error_code code)
{
	return code == ERR_DB_UNAVAILABLE || code == ERR_DB_RETRY || code == ERR_BUSY;
}

int
job_prepare(struct job *job, struct db *control, struct db *data)
{
	struct preparing p = {.job = job, .control = control, .data = data};
	struct error err;

	snprintf(job->label, sizeof(job->label), "run %" PRId64, job->claim.run_id);
	if (prepare_all(&p, &err) == 0)
		return 0;
	job->is_over = false;
	job_fail(job,
		 err.code == ERR_FENCED	   ? CAUSE_LOST_LEASE
		 : is_passing(err.code)	   ? CAUSE_CANCELLED
		 : err.code == ERR_EXPIRED ? CAUSE_EXPIRED
					   : CAUSE_SETUP,
		 &err);
	return -1;
}
