/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/channel -- a run's side of its socket: frames are built in one growing buffer, sent in
 * order when flushed, and answers are waited for. A broken channel ends the process.
 *
 * Between channel_begin and channel_end nothing else may be begun. Where the buffer grows,
 * pointers into it move.
 */
#ifndef NANGO_RUNNER_CHANNEL_H
#define NANGO_RUNNER_CHANNEL_H

#include "rpc/frame.h"
#include "runner/arena.h"

void channel_begin(enum rpc_type type);
char *channel_room(size_t length); /* where the next bytes go; room for so many */
void channel_advance(size_t length);
size_t channel_length(void);	  /* of the open frame's payload so far */
char *channel_payload(size_t at); /* a byte of the open frame's payload */
void channel_u32(uint32_t value);
void channel_text(const char *text, size_t length); /* NULL: none */
void channel_string(const char *text);		    /* NUL-terminated, or NULL: none */
void channel_bytes(const void *bytes, size_t length);
void channel_end(void);
void channel_flush(void);

/* Waits for a message of that type; its payload, with a NUL behind it, is taken from the arena.
 */
struct rpc_in channel_receive(enum rpc_type type, struct arena *arena);

#endif
