/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate_c -- models.h: the same beginning for every plugin (prelude.h), then a struct, a
 * reader and a writer for each model, and the functions of each sync and action.
 *
 * Members are written in byte order of their names, so that equal records are equal bytes
 * whatever the order in plugin.yaml.
 */
#include "generate.h"
#include "texts.h"

#include <string.h>

static void
generate_opening(struct buf *out, const struct spec *spec)
{
	buf_addf(
	    out,
	    "/*\n"
	    " * Written by nango-plugin generate from plugin.yaml (%s %s). Edit that instead.\n"
	    " *\n"
	    " * No value is a NULL pointer, or has_x == false. It means absent where the "
	    "model\n"
	    " * says `?`, null where it says `| null`, and with both, null when x_is_null is\n"
	    " * set. A reader never fails: what does not fit is kept in `problem` and travels\n"
	    " * with the record, and nangod names it instead of storing the record.\n"
	    " */\n"
	    "/* clang-format off */\n#ifndef MODELS_H\n#define MODELS_H\n\n"
	    "#include <nango/plugin.h>\n#include <stdio.h>\n#include <stdlib.h>\n\n",
	    spec->provider, spec->version);
	for (size_t i = 0; texts_prelude[i] != NULL; i++)
		buf_adds(out, texts_prelude[i]);
	buf_adds(out, "\n");
}

static void
generate_declarations(struct buf *out, const struct spec *spec)
{
	TALLOC_CTX *scratch = talloc_new(NULL);

	buf_adds(out, "/* ---- models ---- */\n\n");
	for (size_t i = 0; i < spec->models_count; i++)
		buf_addf(out, "struct %s;\n", generate_name(scratch, spec->models[i].name));
	buf_adds(out, "\n");
	for (size_t i = 0; i < spec->models_count; i++) {
		const struct spec_model *model = &spec->models[i];
		struct generate_struct s = {generate_name(scratch, model->name), &model->fields,
					    model->keeps_extra, false};

		if (model->description != NULL && strstr(model->description, "*/") == NULL)
			buf_addf(out, "/* %s */\n", model->description);
		generate_struct(out, &s);
	}
	for (size_t i = 0; i < spec->models_count; i++) {
		const char *name = generate_name(scratch, spec->models[i].name);

		buf_addf(out,
			 "MODELS_INTERNAL struct %s %s_read(struct nango_run *run, "
			 "struct nango_value in);\n"
			 "MODELS_INTERNAL const char *%s_write(struct nango_writer *writer,\n"
			 "    const struct %s *in);\n",
			 name, name, name, name);
	}
	buf_adds(out, "\n");
	talloc_free(scratch);
}

/* What every reader begins with; run is what allocates. */
static void
reader_head(struct buf *out, const struct generate_struct *s, const char *run)
{
	size_t room = s->fields->count == 0 ? 1 : s->fields->count;

	buf_addf(
	    out,
	    "\tstruct nango_value members[%zu];\n"
	    "\tstruct %s out;\n"
	    "\tstruct models_reader m = {%s, %s_names, members, &out.problem, \"\", SIZE_MAX, "
	    "in};\n\n",
	    room, s->name, run, s->name);
}

static void
generate_reader(struct buf *out, const struct generate_struct *s)
{
	buf_addf(out,
		 "/* Reads a JSON object; what does not fit is in .problem. */\n"
		 "MODELS_INTERNAL struct %s\n%s_read(struct nango_run *run, struct nango_value "
		 "in)\n{\n",
		 s->name, s->name);
	reader_head(out, s, "run");
	buf_addf(out, "\tmemset(&out, 0, sizeof(out));\n\tmodels_split(&m, in, %zu);\n",
		 s->fields->count);
	generate_reads(out, s);
	buf_adds(out, "\treturn out;\n}\n\n");
}

static bool
is_synced(const struct spec *spec, const char *model)
{
	for (size_t i = 0; i < spec->syncs_count; i++)
		for (size_t j = 0; spec->syncs[i].models[j] != NULL; j++)
			if (strcmp(spec->syncs[i].models[j], model) == 0)
				return true;
	return false;
}

static void
generate_save(struct buf *out, const char *name, const char *model)
{
	buf_addf(
	    out,
	    "/* Saves the record; it is stored with the next commit. */\n"
	    "MODELS_INTERNAL void\n%s_save(struct nango_run *run, const struct %s *in)\n{\n"
	    "\tstruct nango_writer writer;\n\tconst char *problem;\n\n"
	    "\trun->calls->save_begin(run, \"%s\", &writer);\n"
	    "\tproblem = %s_write(&writer, in);\n"
	    "\trun->calls->save_end(&writer, problem);\n}\n\n",
	    name, name, model, name);
	buf_addf(
	    out,
	    "/* Merges these members of it into the stored record of its id:\n"
	    " * %s_update(run, &in, NANGO_TEXTS(\"name\", ...)), names as in plugin.yaml. */\n"
	    "MODELS_INTERNAL void\n%s_update(struct nango_run *run, const struct %s *in,\n"
	    "    const char *const *members)\n{\n"
	    "\tstruct nango_writer writer;\n\tconst char *problem;\n\n"
	    "\trun->calls->change_begin(run, \"%s\", NANGO_UPDATE, &writer);\n"
	    "\tproblem = %s_write_members(&writer, in, members);\n"
	    "\trun->calls->save_end(&writer, problem);\n}\n\n",
	    name, name, name, model, name);
}

static bool
has_integer_id(const struct spec_model *model)
{
	for (size_t i = 0; i < model->fields.count; i++)
		if (strcmp(model->fields.at[i].name, "id") == 0)
			return model->fields.at[i].type.base == SPEC_INTEGER;
	return false;
}

static void
generate_lookups(struct buf *out, const char *name, const struct spec_model *model)
{
	bool is_integer = has_integer_id(model);

	buf_addf(out,
		 "/* Marks the record of that id as deleted. */\n"
		 "MODELS_INTERNAL void\n%s_delete(struct nango_run *run, %sid)\n{\n"
		 "\tnango_delete_id(run, \"%s\", %s);\n}\n\n",
		 name, is_integer ? "int64_t " : "const char *", model->name,
		 is_integer ? "nango_format(run, \"%lld\", (long long)id)" : "id");
	buf_addf(
	    out,
	    "/* The stored records of these ids, *found of them, in no order of yours; an id\n"
	    " * that is not stored is left out. At most NANGO_IDS_MAX. */\n"
	    "MODELS_INTERNAL struct %s *\n%s_by_ids(struct nango_run *run,\n"
	    "    const char *const *ids, size_t count, size_t *found)\n{\n"
	    "\tstruct nango_value list = nango_records_by_ids(run, \"%s\", ids, count);\n"
	    "\tstruct %s *out = (struct %s *)nango_allocate(run, (count + 1) * sizeof(*out));\n"
	    "\n\t*found = 0;\n"
	    "\tnango_each(item, list) {\n"
	    "\t\tif (*found < count)\n"
	    "\t\t\tout[(*found)++] = %s_read(run, item);\n"
	    "\t}\n\treturn out;\n}\n\n",
	    name, name, model->name, name, name, name);
}

static void
generate_models(struct buf *out, const struct spec *spec)
{
	TALLOC_CTX *scratch = talloc_new(NULL);

	for (size_t i = 0; i < spec->models_count; i++) {
		const struct spec_model *model = &spec->models[i];
		struct generate_struct s = {generate_name(scratch, model->name), &model->fields,
					    model->keeps_extra, is_synced(spec, model->name)};

		generate_tables(out, &s);
		generate_reader(out, &s);
		generate_writer(out, &s);
		if (!s.is_synced)
			continue;
		generate_save(out, s.name, model->name);
		generate_lookups(out, s.name, model);
	}
	talloc_free(scratch);
}

/*
 * A function that reads what outlives the page. kind: "checkpoint", "metadata". Without any
 * stored value a checkpoint is all zeroes; metadata is read as {}, so that what it must hold is
 * named.
 */
static void
generate_lasting(struct buf *out, const struct generate_struct *s, const char *kind,
		 const char *doc, const char *help)
{
	bool is_checkpoint = strcmp(kind, "checkpoint") == 0;

	buf_addf(out,
		 "/* %s Lives to the run's end. */\n"
		 "MODELS_INTERNAL struct %s\n%s(struct nango_run *run)\n{\n"
		 "\tstruct models_keeper keeper;\n"
		 "\tstruct nango_value in = nango_%s(run);\n",
		 doc, s->name, s->name, kind);
	reader_head(out, s, "&keeper.run");
	buf_adds(out, "\tmemset(&out, 0, sizeof(out));\n"
		      "\tmodels_keeper_begin(&keeper, run);\n"
		      "\tif (nango_type(in) <= NANGO_NULL)");
	buf_adds(out, is_checkpoint ? "\n\t\treturn out;\n"
				    : " {\n\t\tin.data = \"{}\";\n\t\tin.length = 2;\n\t}\n");
	buf_addf(out, "\tmodels_split(&m, in, %zu);\n", s->fields->count);
	generate_reads(out, s);
	buf_addf(
	    out,
	    "\tif (out.problem != NULL)\n"
	    "\t\tnango_fail(run, \"invalid_%s\", \"the %s does not fit plugin.yaml: %%s%s\",\n"
	    "\t\t    models_reason(out.problem));\n"
	    "\treturn out;\n}\n\n",
	    kind, kind, help);
}

static void
generate_commit(struct buf *out, const char *sync, const struct generate_struct *s)
{
	TALLOC_CTX *scratch = talloc_new(NULL);

	buf_addf(out,
		 "/* Commits the records saved since the last commit, and the checkpoint, or "
		 "neither.\n"
		 " * The checkpoint's strings are kept for the next page. */\n"
		 "MODELS_INTERNAL void\n%s_commit(struct nango_run *run, struct %s *in)\n{\n"
		 "\tstruct models_text text;\n\tconst char *problem;\n\tsize_t length;\n\n"
		 "\tmodels_text_begin(&text, run);\n"
		 "\tproblem = %s_write(&text.writer, in);\n"
		 "\tif (problem != NULL)\n"
		 "\t\tnango_fail(run, \"invalid_checkpoint\", \"the checkpoint: %%s\",\n"
		 "\t\t    models_reason(problem));\n"
		 "\tlength = models_text_end(&text);\n",
		 sync, s->name, s->name);
	for (size_t i = 0; i < s->fields->count; i++) {
		const char *name = generate_name(scratch, s->fields->at[i].name);

		if (generate_is_text(&s->fields->at[i].type))
			buf_addf(out, "\tin->%s = nango_keep(run, in->%s);\n", name, name);
	}
	buf_adds(out, "\trun->calls->commit(run, text.data, length);\n}\n\n");
	talloc_free(scratch);
}

static void
generate_sync(struct buf *out, const struct spec_sync *sync)
{
	TALLOC_CTX *scratch = talloc_new(NULL);
	const char *name = generate_name(scratch, sync->name);
	struct generate_struct checkpoint = {talloc_asprintf(scratch, "%s_checkpoint", name),
					     &sync->checkpoint, false, false};
	struct generate_struct metadata = {talloc_asprintf(scratch, "%s_metadata", name),
					   &sync->metadata, false, false};

	buf_addf(out, "/* ---- sync %s ---- */\n\n", sync->name);
	if (sync->has_metadata) {
		generate_struct(out, &metadata);
		generate_tables(out, &metadata);
		generate_lasting(
		    out, &metadata, "metadata",
		    "The connection's metadata; ends the run when it does not fit.",
		    " (set it with POST /connections/metadata)");
	}
	if (sync->has_checkpoint) {
		generate_struct(out, &checkpoint);
		generate_tables(out, &checkpoint);
		generate_lasting(out, &checkpoint, "checkpoint",
				 "The last committed checkpoint; all zeroes on the first run.",
				 "");
		generate_writer(out, &checkpoint);
		generate_commit(out, name, &checkpoint);
	} else {
		buf_addf(
		    out,
		    "/* Commits the records saved since the last commit, or none of them. */\n"
		    "MODELS_INTERNAL void\n%s_commit(struct nango_run *run)\n{\n"
		    "\tnango_commit(run, NULL);\n}\n\n",
		    name);
	}
	talloc_free(scratch);
}

static void
generate_action(struct buf *out, const struct spec_action *action)
{
	TALLOC_CTX *scratch = talloc_new(NULL);
	const char *name = generate_name(scratch, action->name);
	const char *model;

	buf_addf(out, "/* ---- action %s ---- */\n\n", action->name);
	if (action->input != NULL) {
		model = generate_name(scratch, action->input);
		buf_addf(
		    out,
		    "/* What the action was called with; ends it when it does not fit. */\n"
		    "MODELS_INTERNAL struct %s\n%s_input(struct nango_run *run)\n{\n"
		    "\tstruct models_keeper keeper;\n"
		    "\tstruct nango_value in = {run->calls, NULL, 0};\n\tstruct %s out;\n\n"
		    "\tmodels_keeper_begin(&keeper, run);\n"
		    "\trun->calls->input(run, &in);\n"
		    "\tout = %s_read(&keeper.run, in);\n"
		    "\tif (out.problem != NULL)\n"
		    "\t\tnango_fail(run, \"invalid_input\", \"the input: %%s\", "
		    "models_reason(out.problem));\n"
		    "\treturn out;\n}\n\n",
		    model, name, model, model);
	}
	if (action->output != NULL) {
		model = generate_name(scratch, action->output);
		buf_addf(
		    out,
		    "/* What the action returns. */\n"
		    "MODELS_INTERNAL void\n%s_output(struct nango_run *run, const struct %s "
		    "*in)\n{\n"
		    "\tstruct models_text text;\n\tconst char *problem;\n\tsize_t length;\n\n"
		    "\tmodels_text_begin(&text, run);\n"
		    "\tproblem = %s_write(&text.writer, in);\n"
		    "\tif (problem != NULL)\n"
		    "\t\tnango_fail(run, \"invalid_output\", \"the output: %%s\", "
		    "models_reason(problem));\n"
		    "\tlength = models_text_end(&text);\n"
		    "\trun->calls->output(run, text.data, length);\n}\n\n",
		    name, model, model);
	}
	talloc_free(scratch);
}

int
generate_c(TALLOC_CTX *mem, const struct spec *spec, char **out, struct error *err)
{
	struct buf buf;

	if (generate_check_names(mem, spec, err) < 0)
		return -1;
	buf_init(&buf, mem, 65536);
	generate_opening(&buf, spec);
	generate_declarations(&buf, spec);
	generate_models(&buf, spec);
	for (size_t i = 0; i < spec->syncs_count; i++)
		generate_sync(&buf, &spec->syncs[i]);
	for (size_t i = 0; i < spec->actions_count; i++)
		generate_action(&buf, &spec->actions[i]);
	buf_adds(&buf, "#endif\n");
	*out = buf.data;
	return 0;
}
