/* client/seal: lines of values to encrypted tiles and back, group by group, so that memory does not follow the data. */
#ifndef GB_CLIENT_SEAL_H
#define GB_CLIENT_SEAL_H

#include "client/internal.h"

/* Where values come from: lines [first, first + count) of a bundle, [count][rows], in units of value. */
typedef struct gb_line_source {
    void *user;
    gb_status (*read)(void *user, gb_ctx *ctx, float *out, size_t first, size_t count);
} gb_line_source;
/* Where decrypted values go. */
typedef struct gb_line_sink {
    void *user;
    gb_status (*write)(void *user, gb_ctx *ctx, const double *lines, size_t first, size_t count);
} gb_line_sink;

/* Hash of everything that will be encrypted: info without its seed, and every scaled value. Checks every value against
 * info->max_abs first: this is the bound that makes decryption exact. Error: RANGE, naming line and row. */
GB_CHECK gb_status gb_seal_content(gb_hash *out, gb_client *c, const gb_bundle_info *info, const gb_line_source *lines);
/* Encrypts all groups with the open key into the sink. info->seed must be that of the content (gb_secret_dataset_seed).
 * The same check is made again: the source must not have changed in between. */
GB_CHECK gb_status gb_seal(gb_client *c, const gb_bundle_info *info, const gb_line_source *lines,
                           const gb_tile_sink *sink, const char *stage);
/* Decrypts one group. */
GB_CHECK gb_status gb_unseal_group(gb_client *c, const gb_bundle_info *info, size_t group, const gb_tile_source *source,
                                   const gb_line_sink *lines);
/* Manifest of a bundle whose tiles have these hashes; all zero where hashes is NULL (a draft). */
GB_CHECK gb_status gb_seal_manifest(gb_buffer *out, gb_client *c, const gb_bundle_info *info, const gb_hash *hashes);

#endif
