/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/verify_expect -- whether an answer says that credentials are good.
 */
#ifndef NANGO_ENGINE_VERIFY_EXPECT_H
#define NANGO_ENGINE_VERIFY_EXPECT_H

#include "base/json.h"
#include "http/client.h"
#include "provider/expand.h"

/*
 * rules is a template's x.verification, or NULL: any 2xx. ERR_TEST_FAILED whose message is what
 * was answered, in a form that fits behind "it answered".
 */
MUST_CHECK int verify_expected(TALLOC_CTX *mem, struct json_object *rules,
			       const struct expand_scope *scope,
			       const struct http_incoming *answer, struct error *err);

#endif
