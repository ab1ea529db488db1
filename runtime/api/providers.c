/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/providers -- the catalogue of provider templates.
 */
#include "api/check.h"
#include "provider/catalogue.h"

#include <ctype.h>
#include <string.h>

int
api_provider_list(struct call *call, struct response *res, struct error *err)
{
	static const char *const names[] = {"search", NULL};
	const char *search = request_query(call->req, "search");
	const struct templates *templates = catalogue_use(call->node->catalogue, call->mem);
	struct json_object *body, *list;

	if (check_query(call, names, err) < 0)
		return -1;
	body = json_object_new_object();
	list = json_object_new_array();
	json_object_object_add(body, "data", list);
	for (size_t i = 0; i < templates_count(templates); i++) {
		const struct template *template = templates_at(templates, i);

		if (search != NULL && strcasestr(template_name(template), search) == NULL &&
		    strcasestr(template_display_name(template), search) == NULL)
			continue;
		json_object_array_add(list,
				      template_definition(template, call->node->server_url));
	}
	return response_json(res, 200, body);
}

int
api_provider_show(struct call *call, struct response *res, struct error *err)
{
	static const char *const none[] = {NULL};
	const char *name = request_param(call->req, "provider");
	const struct template *template =
	    template_find(catalogue_use(call->node->catalogue, call->mem), name);
	struct json_object *body;

	if (check_query(call, none, err) < 0)
		return -1;
	if (template == NULL)
		return error_set(err, ERR_NOT_FOUND, "there is no provider \"%s\"", name);
	body = json_object_new_object();
	json_object_object_add(body, "data",
			       template_definition(template, call->node->server_url));
	return response_json(res, 200, body);
}

/* Vendors' logos are theirs; an initial is enough to tell entries of a list apart. */
int
api_logo(struct call *call, struct response *res, struct error *err)
{
	const char *file = request_param(call->req, "file");
	size_t length = strlen(file) > 4 ? strlen(file) - 4 : 0;
	char *name = talloc_strndup(call->mem, file, length);
	const struct template *template =
	    template_find(catalogue_use(call->node->catalogue, call->mem), name);
	char *svg;

	if (template == NULL || strcmp(file + length, ".svg") != 0)
		return error_set(err, ERR_NOT_FOUND, "there is no logo \"%s\"", file);
	svg = talloc_asprintf(call->mem,
			      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 40\">"
			      "<circle cx=\"20\" cy=\"20\" r=\"20\" fill=\"#456\"/>"
			      "<text x=\"20\" y=\"27\" text-anchor=\"middle\" font-size=\"20\" "
			      "font-family=\"sans-serif\" fill=\"#fff\">%c</text></svg>",
			      toupper((unsigned char)template_name(template)[0]));
	response_header(res, "Cache-Control", "max-age=86400");
	return response_bytes(res, 200, "image/svg+xml", svg, strlen(svg));
}
