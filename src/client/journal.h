/* client/journal: what must be remembered so that an interrupted command goes on where it stopped. One small file in
 * the key store's folder "state", named by a hash of workspace, key and content; gone once the work is done. The
 * server's address is not part of it: it may come back under another one, and the same nonce gives the same bytes
 * anywhere. */
#ifndef GB_CLIENT_JOURNAL_H
#define GB_CLIENT_JOURNAL_H

#include "client/internal.h"

typedef struct gb_journal {
    char *path;
    gb_hash nonce; /* of the dataset: nonce and content make its seed */
    bool resumed;  /* the file was there */
    char job[65];  /* submitted for the dataset, or "" */
} gb_journal;

/* Loads the journal of this content or begins one, with a fresh nonce, and writes it. Server NULL (local work): only a
 * nonce, no file. A damaged file is begun anew. Errors: IO, SPACE. */
GB_CHECK gb_status gb_journal_open(gb_journal *j, gb_client *c, const gb_hash *content);
GB_CHECK gb_status gb_journal_save(gb_journal *j, gb_client *c);
void gb_journal_remove(gb_journal *j);  /* the work is done */
void gb_journal_release(gb_journal *j); /* leaves the file */

#endif
