/* scheme/multiparty: keys that several parties hold jointly, seen from outside: what is asked of the parties, the
 * shares they answer, and how shares become keys, plaintexts and ciphertexts. No secret is seen here; the parties' side
 * is scheme/secret/share.h.
 *
 * Every party has a ternary secret s_i; the joint secret is s = sum s_i (Mouchet, Troncoso-Pastoriza, Bossuat, Hubaux,
 * eprint 2020/304). With a threshold t below the number of parties, each s_i is also dealt to all of them by Shamir's
 * scheme over R_QP, and any t parties turn the sums of what they got into additive shares of s (Mouchet, Bertrand,
 * Hubaux, eprint 2022/780). Party i has the point i + 1.
 *
 * Everything is asked by a request: kind, active set, and what it is about, hashed into an id that every share carries.
 * All sums run over exactly the active set. The adversary may hold all parties but one (n-of-n) or fewer than t of them
 * and follows the protocol otherwise; wrong shares make a wrong result, they are not found out. */
#ifndef GB_MULTIPARTY_H
#define GB_MULTIPARTY_H

#include "scheme/core/cipher.h"

#define GB_JOINT_MAX_PARTIES 64

/* ---- the joint key's description, known to all: share.c ---- */
typedef struct gb_joint {
    const gb_params *params; /* borrowed */
    unsigned parties, threshold;
    gb_seed seed; /* common reference: every a polynomial comes from it */
    gb_hash id;   /* of all the above */
} gb_joint;
/* 2 <= threshold <= parties <= 64; threshold == parties: all of them, and nothing is dealt. ARGUMENT. */
GB_CHECK gb_status gb_joint_init(gb_joint *out, gb_ctx *ctx, const gb_params *p, unsigned parties, unsigned threshold,
                                 const gb_seed *seed);
/* The common reference from one random contribution of each party. Every party publishes the hash of its own before any
 * contribution is shown, so that none can choose the outcome. */
void gb_joint_seed(gb_seed *out, const gb_seed *contributions, size_t count);

/* ---- requests: share.c ---- */
/* Kinds of shares. Values are part of the wire form. A relinearisation key takes two rounds under one request. */
typedef enum gb_share_kind {
    GB_SHARE_PUBLIC = 1,
    GB_SHARE_ROTATION = 2,
    GB_SHARE_RELIN_FIRST = 3,
    GB_SHARE_RELIN_SECOND = 4,
    GB_SHARE_DECRYPT = 5,
    GB_SHARE_SWITCH = 6,  /* to a recipient's public key */
    GB_SHARE_REFRESH = 7, /* back to more limbs (CKKS) */
    GB_SHARE_DEAL = 8     /* secret: a party's share of another's secret */
} gb_share_kind;

/* Flooding: each party adds noise uniform in [-2^f, 2^f), f = ceil(log2 N + noise_log2 + statistical), so that the N
 * coefficients of a share are within 2^-(statistical + 1) in statistical distance of ones that do not depend on the
 * ciphertext's noise. noise_log2 is a bound on every coefficient of that noise in the worst case, over all inputs the
 * program declares; an estimate or a measured value is no bound. For a refresh it bounds the whole phase, message and
 * noise, for there the uniform polynomials are masks that hide the message. Refused with NOISE unless
 *     2^noise_log2 + k 2^f (+ k 21 (2 N + 1) for a switch)  <=  2^room_log2,   k parties in the active set,
 * room_log2 <= log2 Q - 1 (CKKS, less the message: log2(Q/2 - |m|)), log2(Q / 2t) for BFV, <= log2 Q - 2 for a refresh.
 * The statistical distance adds up over shares: n shares of a key cost 2^-statistical n. */
typedef struct gb_flooding {
    double noise_log2, room_log2; /* >= 0 */
    unsigned statistical;         /* 40..128 */
} gb_flooding;

typedef struct gb_request {
    gb_share_kind kind;          /* PUBLIC, ROTATION, RELIN_FIRST, DECRYPT, SWITCH or REFRESH */
    uint64_t active;             /* bit i: party i; at least `threshold` of them */
    unsigned limbs, digit;       /* of the key, or of the ciphertext; a refresh's digit: limbs it comes back with */
    uint64_t galois;             /* of a rotation key */
    gb_flooding flooding;        /* of a DECRYPT, SWITCH or REFRESH, and */
    unsigned flood_bits;         /* its f */
    const gb_keyset *recipient;  /* of a switch; borrowed */
    gb_hash ciphertext, subject; /* of all residues; of c1 modulo the first prime (see gb_ledger) */
    gb_hash id;
} gb_request;
static inline uint64_t gb_joint_all(const gb_joint *j) { return ~UINT64_C(0) >> (64 - j->parties); }
/* kind: PUBLIC (limbs, digit and galois are not looked at), ROTATION, RELIN_FIRST (galois is not looked at). digit 0:
 * as many as special primes. The security table is checked on the primes the key uses. ARGUMENT, PARAMS, INSECURE. */
GB_CHECK gb_status gb_request_key(gb_request *out, gb_ctx *ctx, const gb_joint *j, gb_share_kind kind, uint64_t active,
                                  uint64_t galois, unsigned limbs, unsigned digit);
/* Each of these takes a ciphertext of two parts in NTT form and checks the flooding inequality. ARGUMENT, PARAMS,
 * STATE, NOISE. */
GB_CHECK gb_status gb_request_decrypt(gb_request *out, gb_ctx *ctx, const gb_joint *j, uint64_t active, const gb_ct *c,
                                      const gb_flooding *f);
GB_CHECK gb_status gb_request_switch(gb_request *out, gb_ctx *ctx, const gb_joint *j, uint64_t active, const gb_ct *c,
                                     const gb_flooding *f, const gb_keyset *recipient);
GB_CHECK gb_status gb_request_refresh(gb_request *out, gb_ctx *ctx, const gb_joint *j, uint64_t active, const gb_ct *c,
                                      const gb_flooding *f, unsigned limbs);
/* Public seed of the a polynomials of a request. */
void gb_request_seed(gb_seed *out, const gb_joint *j, const gb_request *q);

/* ---- shares: share.c ----
 * A list of rows of N words, each modulo one prime of the ring. PUBLIC: data limbs, coefficient form; all others NTT
 * form. ROTATION, RELIN_SECOND: [digit][limbs, then special]. RELIN_FIRST: [digit][two parts][limbs, then special].
 * DECRYPT: limbs. SWITCH: two parts of limbs. REFRESH: limbs, then `digit` limbs. DEAL: the whole ring. */
typedef struct gb_share {
    const gb_params *params; /* borrowed */
    gb_share_kind kind;
    unsigned party;
    unsigned limbs, digit;
    gb_hash joint, request;
    uint64_t *data; /* owned; guarded memory for GB_SHARE_DEAL */
} gb_share;
/* Zeros. ARGUMENT when the parameters have no such rows. */
GB_CHECK gb_status gb_share_init(gb_share *out, gb_ctx *ctx, const gb_params *p, gb_share_kind kind, unsigned limbs,
                                 unsigned digit);
void gb_share_release(gb_share *s);
size_t gb_share_rows(const gb_share *s);
size_t gb_share_row_limb(const gb_share *s, size_t row); /* which prime of the ring */
static inline uint64_t *gb_share_row(const gb_share *s, size_t row) {
    return s->data + row * gb_ring_n(gb_params_ring(s->params));
}
/* Wire form: "GBH1", kind, party, limbs, digit (32 bits each), hash of the parameters, joint id, request id, then the
 * rows packed at the width of their primes. One encoding per content. Room for gb_share_bytes(s). */
size_t gb_share_bytes(const gb_share *s);
void gb_share_write(uint8_t *out, const gb_share *s);
/* The same for what may be seen; refuses a DEAL with STATE: write that one into guarded memory and seal it. */
GB_CHECK gb_status gb_share_encode(gb_buffer *out, gb_ctx *ctx, const gb_share *s);
/* Header, exact size and every residue are checked before anything is kept. FORMAT, VERSION, TRUNCATED, PARAMS. */
GB_CHECK gb_status gb_share_decode(gb_share *out, gb_ctx *ctx, const gb_params *p, const uint8_t *data, size_t n);

/* ---- from shares to results: combine.c ----
 * shares: one of each party of the request's active set, in any order; anything else is refused (KEY, naming the
 * party). Ciphertexts must be those the request was made for (HASH). */
GB_CHECK gb_status gb_joint_public_key(gb_keyset **out, gb_ctx *ctx, const gb_joint *j, const gb_request *q,
                                       const gb_share *shares, size_t count);
GB_CHECK gb_status gb_joint_rotation_key(gb_switch_key *out, gb_ctx *ctx, const gb_joint *j, const gb_request *q,
                                         const gb_share *shares, size_t count);
/* first and second: `count` shares each. */
GB_CHECK gb_status gb_joint_relin_key(gb_switch_key *out, gb_ctx *ctx, const gb_joint *j, const gb_request *q,
                                      const gb_share *first, const gb_share *second, size_t count);
/* The flooded phase in coefficient form, limb j at phase + j * N. BFV: gb_bfv_scale_down and gb_bfv_decode follow. */
GB_CHECK gb_status gb_joint_phase(uint64_t *phase, gb_ctx *ctx, const gb_joint *j, const gb_request *q, const gb_ct *c,
                                  const gb_share *shares, size_t count);
/* CKKS: the same as N centred coefficients divided by the scale (gb_ckks_slots_of follows). */
GB_CHECK gb_status gb_joint_decrypt(double *coefficients, gb_ctx *ctx, const gb_joint *j, const gb_request *q,
                                    const gb_ct *c, const gb_share *shares, size_t count);
/* out: a ciphertext of the same message under the recipient's key; it may be c. */
GB_CHECK gb_status gb_joint_switch(gb_ct *out, gb_ctx *ctx, const gb_joint *j, const gb_request *q, const gb_ct *c,
                                   const gb_share *shares, size_t count);
/* out: a fresh ciphertext of the same phase with the request's limbs; its noise grows by at most 21 a party. out may
 * not be c. */
GB_CHECK gb_status gb_joint_refresh(gb_ct *out, gb_eval *e, const gb_joint *j, const gb_request *q, const gb_ct *c,
                                    const gb_share *shares, size_t count);
/* Sums rows of round 1 into out (as made by gb_share_init); for the parties' second round. */
GB_CHECK gb_status gb_joint_sum(gb_share *out, gb_ctx *ctx, const gb_joint *j, const gb_request *q,
                                const gb_share *shares, size_t count);

/* ---- one answer per ciphertext, ever: ledger.c ----
 * Two shares of one party for the same c1, with fresh noise or for other active sets, give linear relations between
 * noise and secret; a few of them give the secret itself (Colin de Verdiere and others, eprint 2026/031; the test plays
 * it). So a party answers once per subject, where the subject is c1 modulo the first prime (dropping limbs or changing
 * c0 does not make a new one), whatever the purpose. The share is durable before it leaves; the same request again gets
 * the same bytes; any other request for that subject is refused for good. A failed session is not retried: the result
 * is evaluated anew from freshly encrypted inputs, or the key is replaced.
 *
 * What a ledger cannot see: ciphertexts that are sums or multiples of others. A party answers only for results of a
 * declared program whose record it has checked. */
typedef struct gb_ledger {
    void *user;
    /* The entry of this subject, if any: its request and its share, appended to `share`. */
    gb_status (*find)(void *user, gb_ctx *ctx, const gb_hash *subject, bool *found, gb_hash *request, gb_buffer *share);
    /* Makes a durable entry; returns OK only once it would survive a crash. EXISTS when the subject has one. */
    gb_status (*record)(void *user, gb_ctx *ctx, const gb_hash *subject, const gb_hash *request, const uint8_t *share,
                        size_t n);
} gb_ledger;

/* A file that only grows: entries are appended and synced; one process holds it at a time (flock). An entry that a
 * crash cut short never left and is dropped at the next opening; one whose share is damaged keeps its subject closed;
 * any other damage refuses the file (FORMAT). Errors: STATE (held by another), IO, SPACE, FORMAT. Threads may share it.
 */
typedef struct gb_ledger_file gb_ledger_file;
GB_CHECK gb_status gb_ledger_file_open(gb_ledger_file **out, gb_ctx *ctx, const char *path);
void gb_ledger_file_close(gb_ledger_file *f);
gb_ledger gb_ledger_of_file(gb_ledger_file *f);

/* In memory: for tests and for keys that die with the process. */
typedef struct gb_ledger_memory gb_ledger_memory;
GB_CHECK gb_status gb_ledger_memory_new(gb_ledger_memory **out, gb_ctx *ctx);
void gb_ledger_memory_free(gb_ledger_memory *m);
gb_ledger gb_ledger_of_memory(gb_ledger_memory *m);

#endif
