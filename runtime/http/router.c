/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/router -- see router.h.
 */
#include "http/router.h"
#include "http/syntax.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
	struct row *next;
	const struct http_route *route;
	const char *names[HTTP_PARAMS_MAX]; /* of the parameters, in the order of the path */
};

struct node {
	struct node *next; /* literal sibling */
	const char *literal;
	size_t length;
	struct node *children, *param, *rest; /* rest: whatever follows */
	struct row *rows, **last_row;
};

struct router {
	struct node root;
};

struct span {
	const char *data;
	size_t length;
};

struct walk {
	const char *method;
	struct span values[HTTP_PARAMS_MAX];
	size_t depth; /* values so far */
	const struct row *found;
	struct router_match *out;
};

/* The segment at path (behind its slash); false at the end of the path. */
static bool
next_segment(const char *path, struct span *segment)
{
	if (path[0] != '/' || path[1] == '\0')
		return false;
	*segment = (struct span){path + 1, strcspn(path + 1, "/")};
	return true;
}

static struct node *
node_new(TALLOC_CTX *mem, struct span text)
{
	struct node *node = talloc_zero(mem, struct node);

	if (node == NULL)
		abort();
	node->literal = text.data;
	node->length = text.length;
	node->last_row = &node->rows;
	return node;
}

static struct node *
literal_child(const struct node *node, struct span text)
{
	for (struct node *child = node->children; child != NULL; child = child->next)
		if (child->length == text.length &&
		    memcmp(child->literal, text.data, text.length) == 0)
			return child;
	return NULL;
}

static struct node *
child_for(TALLOC_CTX *mem, struct node *node, struct span segment)
{
	struct node *child;

	if (segment.length == 1 && segment.data[0] == '*') {
		if (node->rest == NULL)
			node->rest = node_new(mem, segment);
		return node->rest;
	}
	if (segment.data[0] == ':') {
		if (node->param == NULL)
			node->param = node_new(mem, segment);
		return node->param;
	}
	child = literal_child(node, segment);
	if (child == NULL) {
		child = node_new(mem, segment);
		child->next = node->children;
		node->children = child;
	}
	return child;
}

static void
router_add(struct router *router, const struct http_route *route)
{
	struct row *row = talloc_zero(router, struct row);
	struct node *node = &router->root;
	const char *at = route->pattern;
	struct span segment;
	size_t params = 0;

	if (row == NULL)
		abort();
	assert(at[0] == '/');
	row->route = route;
	for (; next_segment(at, &segment); at = segment.data + segment.length) {
		node = child_for(router, node, segment);
		if (segment.data[0] != ':')
			continue;
		assert(params < HTTP_PARAMS_MAX && segment.length > 1);
		row->names[params++] =
		    talloc_strndup(row, segment.data + 1, segment.length - 1);
	}
	*node->last_row = row;
	node->last_row = &row->next;
}

struct router *
router_new(TALLOC_CTX *mem, const struct http_route *routes, size_t count)
{
	struct router *router = talloc_zero(mem, struct router);

	if (router == NULL)
		abort();
	router->root.last_row = &router->root.rows;
	for (size_t i = 0; i < count; i++)
		router_add(router, &routes[i]);
	return router;
}

static void
allow_add(struct router_match *out, const char *method)
{
	size_t used = strlen(out->allow);

	snprintf(out->allow + used, sizeof(out->allow) - used, "%s%s", used > 0 ? ", " : "",
		 method);
}

/* Is there a row for the method here? Otherwise its methods are noted for Allow. */
static bool
node_answers(const struct node *node, struct walk *walk)
{
	const struct row *get = NULL;

	for (const struct row *row = node->rows; row != NULL; row = row->next) {
		if (strcmp(row->route->method, walk->method) == 0 ||
		    strcmp(row->route->method, "*") == 0) {
			walk->found = row;
			return true;
		}
		if (strcmp(row->route->method, "GET") == 0)
			get = row;
	}
	if (get != NULL && strcmp(walk->method, "HEAD") == 0) {
		walk->found = get;
		return true;
	}
	for (const struct row *row = node->rows; row != NULL; row = row->next)
		allow_add(walk->out, row->route->method);
	if (get != NULL)
		allow_add(walk->out, "HEAD");
	return false;
}

/* Recursion is as deep as the deepest pattern, whatever the path. */
static bool
node_walk(const struct node *node, const char *path, struct walk *walk)
{
	const struct node *child;
	struct span segment;
	const char *rest;

	if (!next_segment(path, &segment))
		return node_answers(
		    node->rest != NULL && node->rows == NULL ? node->rest : node, walk);
	rest = segment.data + segment.length;
	child = literal_child(node, segment);
	if (child != NULL && node_walk(child, rest, walk))
		return true;
	if (node->param != NULL && segment.length > 0) {
		walk->values[walk->depth++] = segment;
		if (node_walk(node->param, rest, walk))
			return true;
		walk->depth--;
	}
	return node->rest != NULL && node_answers(node->rest, walk);
}

static int
decode_params(TALLOC_CTX *mem, const struct walk *walk, struct router_match *out,
	      struct error *err)
{
	out->params_count = walk->depth;
	for (size_t i = 0; i < walk->depth; i++) {
		char *value = talloc_strndup(mem, walk->values[i].data, walk->values[i].length);

		if (value == NULL)
			abort();
		if (http_percent_decode(value, false) < 0)
			return error_set_at(err, ERR_INVALID_PARAMS, walk->found->names[i],
					    "%s is not percent-encoded UTF-8 text",
					    walk->found->names[i]);
		out->params[i] = (struct http_field){walk->found->names[i], value};
	}
	out->params[walk->depth] = (struct http_field){NULL, NULL};
	return 0;
}

int
router_find(const struct router *router, TALLOC_CTX *mem, const char *method, const char *path,
	    struct router_match *out, struct error *err)
{
	struct walk walk = {.method = method, .out = out};

	out->allow[0] = '\0';
	out->params_count = 0;
	out->params[0] = (struct http_field){NULL, NULL};
	if (!node_walk(&router->root, path, &walk)) {
		if (out->allow[0] != '\0')
			return error_set(err, ERR_METHOD, "%s is not allowed here; allowed: %s",
					 method, out->allow);
		return error_set(err, ERR_NOT_FOUND, "there is nothing at %s %.200s", method,
				 path);
	}
	out->allow[0] = '\0';
	out->route = walk.found->route;
	return decode_params(mem, &walk, out, err);
}
