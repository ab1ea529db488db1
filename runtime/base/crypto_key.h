/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto_key -- what a private key is, between crypto_key.c and crypto_sign.c only.
 */
#ifndef NANGO_BASE_CRYPTO_KEY_H
#define NANGO_BASE_CRYPTO_KEY_H

#include "base/crypto.h"

#include <openssl/evp.h>

struct crypto_key {
	EVP_PKEY *pkey;
};

/* Takes the key over: it is freed with what is returned. */
struct crypto_key *crypto_key_own(TALLOC_CTX *mem, EVP_PKEY *pkey);

#endif
