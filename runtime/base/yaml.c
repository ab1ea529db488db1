/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml -- libyaml's events as a tree with places. See yaml.h for what is refused and why: each
 * refusal is something that would silently mean different things to different readers.
 */
#include "base/yaml.h"
#include "base/buf.h"

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

/*
 * Nodes and texts live in a few big blocks: a talloc header is larger than a node, and the
 * memory of a thousand templates would be mostly headers, which takes longer to map than to
 * parse.
 */
#define BLOCK_FIRST 4096
#define BLOCK_MAX (256 * 1024)

struct reading {
	TALLOC_CTX *mem;
	char *block;
	size_t block_left, block_next;
	struct yaml_node **open; /* children of the collections that are not closed yet */
	size_t open_count;
	const char *file, *file_kept; /* in mem, for the nodes */
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

static void *
take(struct reading *r, size_t size)
{
	void *out;

	size = (size + 7) & ~(size_t)7;
	if (size > r->block_left) {
		size_t room = size > r->block_next ? size : r->block_next;

		r->block = talloc_size(r->mem, room);
		if (r->block == NULL)
			abort();
		r->block_left = room;
		if (r->block_next < BLOCK_MAX)
			r->block_next *= 2;
	}
	out = r->block;
	r->block += size;
	r->block_left -= size;
	return out;
}

static struct yaml_node *
node_new(struct reading *r, enum yaml_kind kind, const yaml_event_t *event)
{
	struct yaml_node *node = take(r, sizeof(*node));

	*node = (struct yaml_node){0};
	node->kind = kind;
	node->total = 1;
	node->file = r->file_kept;
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
open_add(struct reading *r, struct yaml_node *item)
{
	if ((r->open_count & (r->open_count - 1)) == 0) {
		r->open =
		    talloc_realloc(r->mem, r->open, struct yaml_node *,
				   (unsigned)(r->open_count == 0 ? 2 : r->open_count * 2));
		if (r->open == NULL)
			abort();
	}
	r->open[r->open_count++] = item;
}

/* Keys and values stand open from first on. */
static int
check_key(struct reading *r, size_t first, struct yaml_node *key)
{
	if (key->kind != YAML_SCALAR)
		return yaml_error(r->err, r->file, key, "a key must be plain text");
	if (key->is_plain && strcmp(key->text, "<<") == 0)
		return yaml_error(r->err, r->file, key,
				  "merge keys (<<) are not supported: write the members out");
	for (size_t i = first; i < r->open_count; i += 2)
		if (strcmp(r->open[i]->text, key->text) == 0)
			return yaml_error(r->err, r->file, key,
					  "duplicate key \"%s\" (first at line %d): remove one",
					  key->text, r->open[i]->line);
	return 0;
}

static const char *
text_copy(struct reading *r, const yaml_event_t *event)
{
	char *text = take(r, event->data.scalar.length + 1);

	memcpy(text, event->data.scalar.value, event->data.scalar.length);
	text[event->data.scalar.length] = '\0';
	return text;
}

/* The one recursion of this file, bounded by YAML_DEPTH_MAX. */
static int read_node(struct reading *r, yaml_event_t *event, struct yaml_node **out);

static int
read_children(struct reading *r, struct yaml_node *node, yaml_event_type_t end)
{
	yaml_event_t event;
	struct yaml_node *child;
	size_t first = r->open_count, used;
	int result;

	for (;;) {
		if (next_event(r, &event) < 0)
			return -1;
		if (event.type == end) {
			yaml_event_delete(&event);
			used = r->open_count - first;
			node->count = node->kind == YAML_MAPPING ? used / 2 : used;
			node->items = take(r, used * sizeof(*node->items));
			if (used > 0)
				memcpy(node->items, r->open + first,
				       used * sizeof(*node->items));
			r->open_count = first;
			return 0;
		}
		result = read_node(r, &event, &child);
		yaml_event_delete(&event);
		if (result < 0)
			return -1;
		used = r->open_count - first;
		if (node->kind == YAML_MAPPING && used % 2 == 0 &&
		    check_key(r, first, child) < 0)
			return -1;
		open_add(r, child);
		node->total += child->total;
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
		(*out)->text = text_copy(r, event);
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
		r->nodes += (*out)->total;
		if (r->nodes > YAML_NODES_MAX)
			return fault_at(r, event->start_mark, "too many nodes");
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
	struct reading r = {.mem = mem, .block_next = BLOCK_FIRST, .file = file, .err = err};
	int result;

	if (length > YAML_BYTES_MAX)
		return error_set(err, ERR_CONFIG, "%s: over %d bytes", file, YAML_BYTES_MAX);
	r.file_kept = talloc_strdup(mem, file);
	if (!yaml_parser_initialize(&r.parser))
		abort();
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
	result = read_document(&r, out);
	yaml_parser_delete(&r.parser);
	talloc_free(r.open);
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
