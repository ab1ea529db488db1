/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/json: what is freed of a tree of secrets holds none of them. free() is watched here,
 * which a sanitizer's own does not let: there the test is skipped.
 */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "s3cret-long-enough-to-be-seen"
#define TEXT "{\"token\":\"" SECRET "\",\"list\":[{\"a\":\"" SECRET "\"},5,null],\"n\":1.10}"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(IS_SANITIZED)
#define IS_SANITIZED 1
#endif

static int seen;
static bool is_watching;

static void
look(const volatile void *block, size_t size)
{
	if (is_watching && block != NULL &&
	    memmem((const void *)(uintptr_t)block, size, SECRET, strlen(SECRET)) != NULL)
		seen++;
}

#ifdef IS_SANITIZED
/* <sanitizer/allocator_interface.h>, which gcc does not have */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
					      void (*on_free)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *block);

static void
on_malloc(const volatile void *block, size_t size)
{
	(void)block;
	(void)size;
}

static void
on_free(const volatile void *block)
{
	if (is_watching && block != NULL)
		look(block, __sanitizer_get_allocated_size(block));
}

static void
watch(void)
{
	if (__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) == 0)
		abort();
}
#else
#include <malloc.h>

void __libc_free(void *block);

__attribute__((visibility("default"))) void
free(void *block)
{
	look(block, malloc_usable_size(block));
	__libc_free(block);
}

static void
watch(void)
{
}
#endif

static int
secrets_freed_with(TALLOC_CTX *mem)
{
	seen = 0;
	is_watching = true;
	talloc_free(mem);
	is_watching = false;
	return seen;
}

static struct json_object *
parse(TALLOC_CTX *mem, bool is_secret)
{
	struct json_object *tree;
	struct error err;

	assert_int_equal(
	    (is_secret ? json_parse_secret : json_parse)(mem, TEXT, strlen(TEXT), &tree, &err),
	    0);
	return tree;
}

static void
test_wiped(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	(void)parse(mem, false);
	assert_int_equal(secrets_freed_with(mem), 2); /* or this test could not fail */
	mem = talloc_new(NULL);
	(void)parse(mem, true);
	assert_int_equal(secrets_freed_with(mem), 0);
}

static void
test_text(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct json_object *tree = parse(mem, true);

	(void)state;
	json_mark_secret(tree); /* once more: nothing is lost */
	assert_string_equal(json_text_secret(mem, tree), TEXT);
	assert_string_equal(json_text_secret(mem, json_member(tree, "token")),
			    "\"" SECRET "\"");
	assert_string_equal(json_string(tree, "token"), SECRET);
	assert_int_equal(secrets_freed_with(mem), 0);
}

/* What another tree took is whole until that goes. */
static void
test_shared(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL), *other = talloc_new(NULL);
	struct json_object *tree = parse(mem, true);
	struct json_object *taker = json_own(other, json_object_new_object());

	(void)state;
	json_object_object_add(taker, "t", json_object_get(json_member(tree, "token")));
	talloc_free(mem);
	assert_string_equal(json_string(taker, "t"), SECRET);
	assert_int_equal(secrets_freed_with(other), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wiped),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_shared),
	};

	watch();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
