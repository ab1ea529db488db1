/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml -- libyaml's events as a tree with places. See yaml.h for what is refused and why: each
 * refusal is something that would silently mean different things to different readers.
 */
#include "base/yaml.h"
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct anchor {
	struct anchor *next;
	const char *name;
	struct yaml_node *node;
};

struct reading {
	TALLOC_CTX *mem;
	const char *file;
	yaml_parser_t parser;
	struct anchor *anchors;
	size_t nodes;
	int depth;
	struct error *err;
};

int
yaml_error(struct error *err, const char *file, const struct yaml_node *at, const char *fmt,
	   ...)
{
	char text[ERROR_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (at == NULL)
		return error_set(err, ERR_CONFIG, "%s: %s", file, text);
	return error_set(err, ERR_CONFIG, "%s:%d:%d: %s", file, at->line, at->column, text);
}

static int
fault_at(struct reading *r, yaml_mark_t mark, const char *text)
{
	return error_set(r->err, ERR_CONFIG, "%s:%zu:%zu: %s", r->file, mark.line + 1,
			 mark.column + 1, text);
}

static int
next_event(struct reading *r, yaml_event_t *event)
{
	yaml_mark_t mark;

	if (yaml_parser_parse(&r->parser, event))
		return 0;
	mark = r->parser.problem_mark;
	if (r->parser.error == YAML_READER_ERROR)
		return error_set(r->err, ERR_CONFIG, "%s: byte %zu: %s", r->file,
				 r->parser.problem_offset, r->parser.problem);
	return fault_at(r, mark, r->parser.problem == NULL ? "not YAML" : r->parser.problem);
}

static struct yaml_node *
node_new(struct reading *r, enum yaml_kind kind, const yaml_event_t *event)
{
	struct yaml_node *node = talloc_zero(r->mem, struct yaml_node);

	if (node == NULL)
		abort();
	node->kind = kind;
	node->line = (int)event->start_mark.line + 1;
	node->column = (int)event->start_mark.column + 1;
	return node;
}

static void
anchor_add(struct reading *r, const yaml_char_t *name, struct yaml_node *node)
{
	struct anchor *anchor;

	if (name == NULL)
		return;
	anchor = talloc(r->mem, struct anchor);
	if (anchor == NULL)
		abort();
	*anchor = (struct anchor){r->anchors, talloc_strdup(r->mem, (const char *)name), node};
	r->anchors = anchor;
}

static struct yaml_node *
anchor_find(struct reading *r, const char *name)
{
	for (struct anchor *a = r->anchors; a != NULL; a = a->next)
		if (strcmp(a->name, name) == 0)
			return a->node;
	return NULL;
}

static void
items_add(struct reading *r, struct yaml_node *node, size_t *used, struct yaml_node *item)
{
	if ((*used & (*used - 1)) == 0) {
		node->items = talloc_realloc(r->mem, node->items, struct yaml_node *,
					     (unsigned)(*used == 0 ? 2 : *used * 2));
		if (node->items == NULL)
			abort();
	}
	node->items[(*used)++] = item;
}

static int
check_key(struct reading *r, struct yaml_node *mapping, size_t used, struct yaml_node *key)
{
	if (key->kind != YAML_SCALAR)
		return yaml_error(r->err, r->file, key, "a key must be plain text");
	if (key->is_plain && strcmp(key->text, "<<") == 0)
		return yaml_error(r->err, r->file, key,
				  "merge keys (<<) are not supported: write the members out");
	for (size_t i = 0; i < used; i += 2)
		if (strcmp(mapping->items[i]->text, key->text) == 0)
			return yaml_error(r->err, r->file, key,
					  "duplicate key \"%s\" (first at line %d): remove one",
					  key->text, mapping->items[i]->line);
	return 0;
}

/* The one recursion of this file, bounded by YAML_DEPTH_MAX. */
static int read_node(struct reading *r, yaml_event_t *event, struct yaml_node **out);

static int
read_children(struct reading *r, struct yaml_node *node, yaml_event_type_t end)
{
	yaml_event_t event;
	struct yaml_node *child;
	size_t used = 0;
	int result;

	for (;;) {
		if (next_event(r, &event) < 0)
			return -1;
		if (event.type == end) {
			yaml_event_delete(&event);
			node->count = node->kind == YAML_MAPPING ? used / 2 : used;
			return 0;
		}
		result = read_node(r, &event, &child);
		yaml_event_delete(&event);
		if (result < 0)
			return -1;
		if (node->kind == YAML_MAPPING && used % 2 == 0 &&
		    check_key(r, node, used, child) < 0)
			return -1;
		items_add(r, node, &used, child);
	}
}

static int
read_collection(struct reading *r, yaml_event_t *event, struct yaml_node **out)
{
	int is_mapping = event->type == YAML_MAPPING_START_EVENT;
	struct yaml_node *node = node_new(r, is_mapping ? YAML_MAPPING : YAML_SEQUENCE, event);
	const yaml_char_t *anchor =
	    is_mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;

	if (++r->depth > YAML_DEPTH_MAX)
		return fault_at(r, event->start_mark, "nested too deeply");
	if (read_children(r, node,
			  is_mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT) < 0)
		return -1;
	r->depth--;
	anchor_add(r, anchor, node); /* after its children: no node can hold itself */
	*out = node;
	return 0;
}

static int
read_node(struct reading *r, yaml_event_t *event, struct yaml_node **out)
{
	if (++r->nodes > YAML_NODES_MAX)
		return fault_at(r, event->start_mark, "too many nodes");
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		*out = node_new(r, YAML_SCALAR, event);
		(*out)->text = talloc_strndup(*out, (const char *)event->data.scalar.value,
					      event->data.scalar.length);
		if (strlen((*out)->text) != event->data.scalar.length)
			return fault_at(r, event->start_mark, "text with a NUL byte");
		(*out)->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		if (event->data.scalar.tag != NULL)
			return fault_at(r, event->start_mark, "tags (!…) are not supported");
		anchor_add(r, event->data.scalar.anchor, *out);
		return 0;
	case YAML_ALIAS_EVENT:
		*out = anchor_find(r, (const char *)event->data.alias.anchor);
		if (*out == NULL)
			return fault_at(r, event->start_mark,
					"no such anchor before this place");
		return 0;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return read_collection(r, event, out);
	default:
		return fault_at(r, event->start_mark, "unexpected end");
	}
}

/* Skips the stream's and document's starts; false at the end of an empty stream. */
static int
first_event(struct reading *r, yaml_event_t *event)
{
	for (;;) {
		if (next_event(r, event) < 0)
			return -1;
		if (event->type != YAML_STREAM_START_EVENT &&
		    event->type != YAML_DOCUMENT_START_EVENT)
			break;
		yaml_event_delete(event);
	}
	if (event->type == YAML_STREAM_END_EVENT) {
		yaml_event_delete(event);
		return error_set(r->err, ERR_CONFIG, "%s: the document is empty", r->file);
	}
	return 0;
}

static int
read_document(struct reading *r, struct yaml_node **out)
{
	yaml_event_t event;
	int result;

	if (first_event(r, &event) < 0)
		return -1;
	result = read_node(r, &event, out);
	yaml_event_delete(&event);
	if (result < 0)
		return -1;
	if (next_event(r, &event) < 0) /* the document's end */
		return -1;
	yaml_event_delete(&event);
	if (next_event(r, &event) < 0)
		return -1;
	result = event.type == YAML_STREAM_END_EVENT
		     ? 0
		     : fault_at(r, event.start_mark, "only one document a file");
	yaml_event_delete(&event);
	return result;
}

int
yaml_parse(TALLOC_CTX *mem, const char *file, const char *text, size_t length,
	   struct yaml_node **out, struct error *err)
{
	struct reading r = {.mem = mem, .file = file, .err = err};
	int result;

	if (length > YAML_BYTES_MAX)
		return error_set(err, ERR_CONFIG, "%s: over %d bytes", file, YAML_BYTES_MAX);
	if (!yaml_parser_initialize(&r.parser))
		abort();
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
	result = read_document(&r, out);
	yaml_parser_delete(&r.parser);
	return result;
}

int
yaml_read(TALLOC_CTX *mem, const char *path, struct yaml_node **out, struct error *err)
{
	struct buf buf;
	FILE *file = fopen(path, "re");
	size_t n;

	if (file == NULL)
		return error_set_errno(err, ERR_CONFIG, "cannot read %s", path);
	buf_init(&buf, mem, 16384);
	while (buf.length <= YAML_BYTES_MAX &&
	       (n = fread(buf_reserve(&buf, 16384), 1, 16384, file)) > 0)
		buf.length += n;
	fclose(file);
	return yaml_parse(mem, path, buf.data, buf.length, out, err);
}

struct yaml_node *
yaml_get(const struct yaml_node *mapping, const char *key)
{
	if (mapping == NULL || mapping->kind != YAML_MAPPING)
		return NULL;
	for (size_t i = 0; i < mapping->count; i++)
		if (strcmp(mapping->items[2 * i]->text, key) == 0)
			return mapping->items[2 * i + 1];
	return NULL;
}

const char *
yaml_text(const struct yaml_node *mapping, const char *key)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	return node == NULL || node->kind != YAML_SCALAR ? NULL : node->text;
}

/* Core schema of YAML 1.2, section 10.3.2, without octal and hexadecimal numbers. */
static struct json_object *
scalar_to_json(const struct yaml_node *node)
{
	const char *text = node->text;
	char *end;
	long long integer;
	double number;

	if (!node->is_plain)
		return json_object_new_string(text);
	if (text[0] == '\0' || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
		return NULL;
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return json_object_new_boolean(text[0] == 't');
	if (strspn(text, "+-0123456789.eE") != strlen(text))
		return json_object_new_string(text);
	errno = 0;
	integer = strtoll(text, &end, 10);
	if (*end == '\0' && errno == 0)
		return json_object_new_int64(integer);
	number = strtod(text, &end);
	if (*end == '\0' && errno == 0)
		return json_object_new_double_s(number, text);
	return json_object_new_string(text);
}

struct json_object *
yaml_to_json(const struct yaml_node *node)
{
	struct json_object *tree;

	if (node->kind == YAML_SCALAR)
		return scalar_to_json(node);
	if (node->kind == YAML_SEQUENCE) {
		tree = json_object_new_array();
		for (size_t i = 0; i < node->count; i++)
			json_object_array_add(tree, yaml_to_json(node->items[i]));
		return tree;
	}
	tree = json_object_new_object();
	for (size_t i = 0; i < node->count; i++)
		json_object_object_add(tree, node->items[2 * i]->text,
				       yaml_to_json(node->items[2 * i + 1]));
	return tree;
}
