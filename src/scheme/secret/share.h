/* scheme/secret/share: one party's side of a joint key (multiparty/multiparty.h). Guarded memory, constant time in the
 * secrets, all randomness from the system or from a party's root.
 *
 * Shares of keys are deterministic in (root, request): asking again gives the same bytes, never a second sample of the
 * noise. Shares of ciphertexts have fresh noise and go through a ledger. A gb_share made here borrows the parameters of
 * its party; over the wire it gets those given to gb_share_decode. */
#ifndef GB_SECRET_SHARE_H
#define GB_SECRET_SHARE_H

#include "scheme/multiparty/multiparty.h"
#include "scheme/secret/secret.h"

typedef struct gb_party gb_party;
/* Party `index` of j, with a root of its own. The parameters are made again, so a party lives on its own. The security
 * table is checked on all primes. ARGUMENT, INSECURE, MEMORY. */
GB_CHECK gb_status gb_party_new(gb_party **out, gb_ctx *ctx, const gb_joint *j, unsigned index);
GB_CHECK gb_status gb_party_restore(gb_party **out, gb_ctx *ctx, const gb_joint *j, unsigned index,
                                    const uint8_t root[32]);
void gb_party_free(gb_party *p);
/* For the key store (the caller wipes it). With a threshold, the dealt shares are kept beside it. */
void gb_party_root(uint8_t out[32], const gb_party *p);
const gb_joint *gb_party_joint(const gb_party *p);

/* ---- t-of-n: share.c. Once, before the first request whose active set is not all parties ---- */
/* This party's secret, dealt to party `to` (itself too): secret, goes to that party alone over a sealed channel. */
GB_CHECK gb_status gb_party_deal(gb_share *out, gb_ctx *ctx, const gb_party *p, unsigned to);
/* The shares dealt to this party by all parties. KEY when one is missing or was dealt to another. */
GB_CHECK gb_status gb_party_collect(gb_party *p, gb_ctx *ctx, const gb_share *dealt, size_t count);

/* ---- shares of keys: share_key.c ----
 * The request decides: PUBLIC, ROTATION or RELIN_FIRST. KEY (not in the active set), STATE (no dealt shares), ARGUMENT
 * (a request of another joint key). */
GB_CHECK gb_status gb_party_key_share(gb_share *out, gb_ctx *ctx, const gb_party *p, const gb_request *q);
/* Round 2 of a relinearisation key: from all shares of round 1, once per request: the ledger refuses another round 1.
 * Appends the share's wire form. */
GB_CHECK gb_status gb_party_relin_second(gb_buffer *out, gb_ctx *ctx, const gb_party *p, const gb_request *q,
                                         const gb_share *first, size_t count, const gb_ledger *ledger);

/* ---- shares of ciphertexts: share_open.c ----
 * The request decides: DECRYPT, SWITCH or REFRESH of c. Appends the share's wire form: the stored bytes when the ledger
 * has answered this very request. STATE: the ledger has answered another request for this ciphertext; HASH: c is not
 * the request's; KEY: not in the active set. */
GB_CHECK gb_status gb_party_open_share(gb_buffer *out, gb_ctx *ctx, const gb_party *p, const gb_request *q,
                                       const gb_ct *c, const gb_ledger *ledger);

#endif
