/* client/transfer: tiles of one dataset up or down over a few connections at once, with bounded memory. */
#ifndef GB_CLIENT_TRANSFER_H
#define GB_CLIENT_TRANSFER_H

#include "client/internal.h"

typedef struct gb_transfer gb_transfer;
/* Starts client->connections threads for the dataset. Memory: twice as many tiles wait as there are connections. */
GB_CHECK gb_status gb_transfer_new(gb_transfer **out, gb_client *c, const char *dataset);
/* Queues an upload; data is copied. Waits while the queue is full. Any thread. Errors: CANCELLED, and the first error
 * of any transfer so far (sticky). */
GB_CHECK gb_status gb_transfer_put(gb_transfer *t, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n,
                                   const gb_hash *hash);
/* Queues a download of exactly n bytes with this hash into data, which must live until gb_transfer_wait. */
GB_CHECK gb_status gb_transfer_get(gb_transfer *t, gb_ctx *ctx, size_t tile, uint8_t *data, size_t n,
                                   const gb_hash *hash);
/* Waits until all that was queued is done. Errors as above; HASH, LIMIT or TRUNCATED for a tile that is not what it
 * should be. */
GB_CHECK gb_status gb_transfer_wait(gb_transfer *t, gb_ctx *ctx);
uint64_t gb_transfer_bytes(gb_transfer *t); /* moved so far */
void gb_transfer_free(gb_transfer *t);      /* drops what is queued; NULL is allowed */

#endif
