/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/budget_scope -- what a connection's calls count in: x.limits of its template, as
 * buckets of its integration, its environment and itself. A limit that makes no sense (a user's
 * own file is not refused for it) is left out.
 */
#include "base/json.h"
#include "engine/budget.h"
#include "provider/limits.h"
#include "store/connection.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	enum budget_per per;
} scopes[] = {{"connection", BUDGET_PER_CONNECTION},
	      {"client", BUDGET_PER_CLIENT},
	      {"environment", BUDGET_PER_ENVIRONMENT}};

static int64_t
id_of(const struct connection *c, enum budget_per per)
{
	const int64_t ids[] = {[BUDGET_PER_CONNECTION] = c->id,
			       [BUDGET_PER_CLIENT] = c->integration_id,
			       [BUDGET_PER_ENVIRONMENT] = c->environment_id};

	return ids[per];
}

static bool
read_scope(const char *name, enum budget_per *out)
{
	for (size_t i = 0; name != NULL && i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		if (strcmp(scopes[i].name, name) != 0)
			continue;
		*out = scopes[i].per;
		return true;
	}
	return false;
}

static bool
read_class(TALLOC_CTX *mem, struct json_object *match, struct budget_limit *out)
{
	struct json_object *methods = json_array_in(match, "method");
	const char *path = json_string(match, "path");
	size_t count = methods == NULL ? 0 : json_object_array_length(methods);

	if (count > LIMITS_METHODS_MAX || (path != NULL && strlen(path) > LIMITS_PATH_MAX))
		return false;
	for (size_t i = 0; i < count; i++)
		out->methods[i] = talloc_strdup(
		    mem, json_object_get_string(json_object_array_get_idx(methods, i)));
	out->path = path == NULL ? NULL : talloc_strdup(mem, path);
	out->is_apart = json_object_get_boolean(json_member(match, "apart"));
	return true;
}

/* Two limits of a scope that differ in anything but their burst are two buckets. */
static const char *
key_of(TALLOC_CTX *mem, const struct budget_limit *limit, const struct connection *c,
       int64_t requests, int64_t seconds)
{
	char *key =
	    talloc_asprintf(mem, "%s/%" PRId64 "/%" PRId64 "/%" PRId64 "s",
			    scopes[limit->per].name, id_of(c, limit->per), requests, seconds);

	for (size_t i = 0; limit->methods[i] != NULL; i++)
		key =
		    talloc_asprintf_append(key, "%c%s", i == 0 ? ' ' : ',', limit->methods[i]);
	return limit->path == NULL ? key : talloc_asprintf_append(key, " %s", limit->path);
}

static bool
read_limit(TALLOC_CTX *mem, struct json_object *from, const struct connection *c,
	   struct budget_limit *out)
{
	int64_t requests = json_integer(from, "requests", 0);
	int64_t seconds = json_integer(from, "seconds", 0);
	int64_t burst = json_integer(from, "burst", 0);

	*out = (struct budget_limit){0};
	if (requests < 1 || requests > LIMITS_REQUESTS_MAX || seconds < 1 ||
	    seconds > LIMITS_SECONDS_MAX || burst < 0 || burst > LIMITS_REQUESTS_MAX ||
	    !read_scope(json_string(from, "per"), &out->per) ||
	    !read_class(mem, json_object_in(from, "match"), out))
		return false;
	out->key = key_of(mem, out, c, requests, seconds);
	out->shape = budget_shape_of(requests, seconds, burst);
	return true;
}

const struct budget_scopes *
budget_scopes_of(TALLOC_CTX *mem, struct json_object *template_body,
		 const struct connection *connection, const char *base_url)
{
	struct json_object *declared =
	    json_array_in(json_object_in(template_body, "x"), "limits");
	size_t count = declared == NULL ? 0 : json_object_array_length(declared);
	struct budget_scopes *out = talloc_zero(mem, struct budget_scopes);
	struct budget_limit *limits;

	if (out == NULL)
		abort();
	out->connection = talloc_asprintf(out, "connection/%" PRId64, connection->id);
	out->group = talloc_asprintf(out, "%" PRId64, connection->id);
	out->base_url = base_url;
	out->retry = json_object_in(json_object_in(template_body, "proxy"), "retry");
	if (count == 0)
		return out;
	limits = talloc_zero_array(out, struct budget_limit, LIMITS_MAX);
	if (limits == NULL)
		abort();
	for (size_t i = 0; i < count && out->limits_count < LIMITS_MAX; i++)
		if (read_limit(limits, json_object_array_get_idx(declared, i), connection,
			       &limits[out->limits_count]))
			out->limits_count++;
	out->limits = limits;
	return out;
}
