/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/providers -- the catalogue of provider templates.
 */
#include "api/check.h"
#include "provider/template.h"

#include <string.h>

int
api_provider_list(struct call *call, struct response *res, struct error *err)
{
	static const char *const names[] = {"search", NULL};
	const char *search = request_query(call->req, "search");
	struct json_object *body, *list;

	if (check_query(call, names, err) < 0)
		return -1;
	body = json_object_new_object();
	list = json_object_new_array();
	json_object_object_add(body, "data", list);
	for (size_t i = 0; i < templates_count(call->node->templates); i++) {
		const struct template *template = templates_at(call->node->templates, i);

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
	const struct template *template = template_find(call->node->templates, name);
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
