/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NANGO_TESTS_HTTP_ECHO_RELAY_H
#define NANGO_TESTS_HTTP_ECHO_RELAY_H

#include "http/relay.h"

extern const struct http_relay echo_relay;

#endif
