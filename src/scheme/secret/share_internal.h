/* scheme/secret/share: the inside of a party. Private to share*.c. */
#ifndef GB_SECRET_SHARE_INTERNAL_H
#define GB_SECRET_SHARE_INTERNAL_H

#include "scheme/core/core.h"
#include "scheme/multiparty/internal.h"
#include "scheme/secret/internal.h"
#include "scheme/secret/share.h"

struct gb_party {
    gb_joint joint; /* with our own params */
    gb_params *params;
    unsigned index;
    /* Guarded memory: */
    struct gb_party_seeds {
        gb_seed root, error; /* error: key of the PRF that key shares take their noise from */
    } * seeds;
    uint64_t *s_hat;     /* our ternary secret in NTT form, all limbs of the ring */
    uint64_t *sigma_hat; /* the sum of what was dealt to us, same form; NULL before gb_party_collect */
};

typedef enum gb_party_purpose {
    GB_PARTY_PUBLIC = 1,
    GB_PARTY_ROTATION = 2,
    GB_PARTY_RELIN_U = 3,
    GB_PARTY_RELIN_H0 = 4,
    GB_PARTY_RELIN_H1 = 5,
    GB_PARTY_RELIN_SECOND = 6
} gb_party_purpose;
/* PRF of the root: one seed for each purpose and id. */
void gb_party_seed(gb_seed *out, const gb_party *p, gb_party_purpose purpose, const gb_hash *id);

/* The request is this joint key's and has us in its active set, else KEY. */
GB_CHECK gb_status gb_party_check(gb_ctx *ctx, const gb_party *p, const gb_request *q);
/* Our additive share of s for this active set, NTT form, all limbs: our own secret when all take part, else the
 * Lagrange coefficient times the dealt sum. Guarded; free with gb_free_secret. STATE before gb_party_collect. */
GB_CHECK gb_status gb_party_additive(uint64_t **out, gb_ctx *ctx, const gb_party *p, uint64_t active);
/* Header fields of a share of ours. */
GB_CHECK gb_status gb_party_share_init(gb_share *out, gb_ctx *ctx, const gb_party *p, const gb_request *q,
                                       gb_share_kind kind);
/* The ledger's answer for (subject, request), or make's, recorded before it is appended to out. */
typedef gb_status (*gb_party_make_fn)(void *user, gb_ctx *ctx, gb_share *share);
GB_CHECK gb_status gb_party_answer(gb_buffer *out, gb_ctx *ctx, const gb_ledger *l, const gb_hash *subject,
                                   const gb_hash *request, gb_party_make_fn make, void *user);

/* Wide secret integers, N of them, in `count` digits of 62 bits (digit d of integer i at digits[d * n + i]), the top
 * one of `top` bits; uniform. Streams stream..stream + count - 1 of the seed. */
void gb_wide_sample(int64_t *digits, size_t n, unsigned count, unsigned top, const gb_seed *seed, uint64_t stream);
/* Their residues; temp: N words. Constant time. */
void gb_wide_residues(uint64_t *out, uint64_t *temp, const int64_t *digits, size_t n, unsigned count,
                      const gb_modulus *m);

#endif
