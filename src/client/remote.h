/* client/remote: datasets of encrypted lines at the server. */
#ifndef GB_CLIENT_REMOTE_H
#define GB_CLIENT_REMOTE_H

#include "client/api.h"
#include "client/journal.h"
#include "client/note.h"
#include "client/seal.h"

/* Encrypts and uploads; goes on with an upload the journal knows. info: as planned, its key set; seed is filled in.
 * *bytes grows by what was really sent. Errors: RANGE, NETWORK (the sentence says how to go on), the server's. */
GB_CHECK gb_status gb_remote_put(gb_api_dataset *out, gb_journal *journal, gb_client *c, gb_bundle_info *info,
                                 const gb_line_source *lines, const gb_note *note, uint64_t *bytes);
/* Downloads, checks and decrypts with the open key. expect (may be NULL): what the plan promises; the seed is not
 * compared. Errors: PARAMS (not what was expected), KEY, HASH, NETWORK. */
GB_CHECK gb_status gb_remote_get(gb_client *c, const char *id, const gb_bundle_info *expect, const gb_line_sink *lines,
                                 uint64_t *bytes);
/* The manifest of a dataset, checked; drop both with gb_manifest_release and gb_params_free. */
GB_CHECK gb_status gb_remote_manifest(gb_manifest *out, gb_params **params, gb_client *c, const char *id);

#endif
