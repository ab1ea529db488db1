/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/template_merge -- alias and extends.
 *
 *   alias: NAME    the target's keys with those of the entry in their places, whole; as the
 *                  reference does it, but an alias of an alias works in any order
 *   extends: NAME  mappings are merged key by key, all the way down; null takes a key away
 *
 * A name is looked for in the file or folder of its entry first, so that a user's file that
 * takes the place of one of our templates does not change the others.
 */
#include "provider/template_source.h"

#include <stdlib.h>
#include <string.h>

static struct yaml_node *
mapping_new(const struct source *source, const struct yaml_node *like, size_t room)
{
	struct yaml_node *node = talloc(source->mem, struct yaml_node);

	if (node == NULL)
		abort();
	*node = *like;
	node->items = talloc_array(source->mem, struct yaml_node *, (unsigned)(2 * room) + 1);
	node->count = 0;
	if (node->items == NULL)
		abort();
	return node;
}

static size_t
find_key(const struct yaml_node *mapping, const char *key)
{
	size_t i = 0;

	while (i < mapping->count && strcmp(mapping->items[2 * i]->text, key) != 0)
		i++;
	return i;
}

static void
put(struct yaml_node *mapping, size_t at, struct yaml_node *key, struct yaml_node *value)
{
	mapping->items[2 * at] = key;
	mapping->items[2 * at + 1] = value;
	mapping->count += at == mapping->count;
}

static void
take_away(struct yaml_node *mapping, size_t at)
{
	if (at == mapping->count)
		return;
	mapping->count--;
	memmove(&mapping->items[2 * at], &mapping->items[2 * at + 2],
		2 * (mapping->count - at) * sizeof(*mapping->items));
}

static bool
is_null(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && node->is_plain &&
	       (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
		strcmp(node->text, "null") == 0);
}

/* A key of `over` stands where the base has it, else behind. */
static struct yaml_node *
merge(const struct source *source, const struct yaml_node *base, const struct yaml_node *over,
      bool is_deep)
{
	struct yaml_node *out = mapping_new(source, over, base->count + over->count);

	for (size_t i = 0; i < base->count; i++)
		put(out, i, base->items[2 * i], base->items[2 * i + 1]);
	for (size_t i = 0; i < over->count; i++) {
		struct yaml_node *key = over->items[2 * i], *value = over->items[2 * i + 1];
		size_t at = find_key(out, key->text);

		if (is_deep && is_null(value)) {
			take_away(out, at);
			continue;
		}
		if (is_deep && at < out->count && value->kind == YAML_MAPPING &&
		    out->items[2 * at + 1]->kind == YAML_MAPPING)
			value = merge(source, out->items[2 * at + 1], value, true);
		put(out, at, key, value);
	}
	return out;
}

static struct yaml_node *
without(const struct source *source, const struct yaml_node *node, const char *key)
{
	struct yaml_node *out = mapping_new(source, node, node->count);

	for (size_t i = 0; i < node->count; i++)
		if (strcmp(node->items[2 * i]->text, key) != 0)
			put(out, out->count, node->items[2 * i], node->items[2 * i + 1]);
	return out;
}

static void resolve(struct source *source, struct source_entry *entry, int depth);

/* The entry that another one is made of, resolved; NULL and a finding when there is none. */
static struct source_entry *
find_base(struct source *source, struct source_entry *entry, const struct yaml_node *named,
	  int depth)
{
	struct source_entry *base =
	    named->kind == YAML_SCALAR ? source_find(source, named->text) : NULL;
	struct source *home = source;

	if (base == NULL && named->kind == YAML_SCALAR && source->other != NULL) {
		home = source->other;
		base = source_find(home, named->text);
	}
	if (named->kind != YAML_SCALAR) {
		source_fault(source, entry, named, "E0707", "the name of a template is a text");
	} else if (base == NULL) {
		source_fault(source, entry, named, "E0707", "there is no template \"%.80s\"",
			     named->text);
	} else if (base->state == SOURCE_BUSY || depth == TEMPLATE_ALIASES_MAX) {
		source_fault(source, entry, named, "E0707",
			     "%.80s is made of %.80s, and that of %.80s: a circle, or a chain "
			     "of over %d",
			     entry->name, base->name, entry->name, TEMPLATE_ALIASES_MAX);
	} else {
		resolve(home, base, depth + 1);
		if (base->state == SOURCE_DONE)
			return base;
		source_fault(source, entry, named, "E0707",
			     "the template \"%.80s\" cannot be used", named->text);
	}
	return NULL;
}

static void
resolve(struct source *source, struct source_entry *entry, int depth)
{
	const struct yaml_node *alias = yaml_get(entry->node, "alias");
	const struct yaml_node *extends = yaml_get(entry->node, "extends");
	const struct yaml_node *named = alias != NULL ? alias : extends;
	struct source_entry *base;

	if (entry->state != SOURCE_NEW)
		return;
	if (named == NULL) {
		entry->resolved = entry->node;
		entry->state = SOURCE_DONE;
		return;
	}
	entry->state = SOURCE_BUSY;
	if (alias != NULL && extends != NULL) {
		source_fault(source, entry, extends, "E0707",
			     "a template has alias or extends, not both");
		entry->state = SOURCE_BAD;
		return;
	}
	base = find_base(source, entry, named, depth);
	if (base != NULL)
		entry->resolved =
		    merge(source, base->resolved,
			  without(source, entry->node, alias != NULL ? "alias" : "extends"),
			  extends != NULL);
	entry->state = base != NULL ? SOURCE_DONE : SOURCE_BAD;
}

void
source_resolve(struct source *source, struct source_entry *entry)
{
	resolve(source, entry, 0);
}
