/* Glovebox: keys that several parties hold jointly, and results that they open together. C99.
 *
 * Nobody ever has the secret key: every party is a holder of a part of it (eprint 2020/304), and all of them, or any t
 * of n (eprint 2022/780), make public and evaluation keys and open results. There is no network here: shares are bytes
 * for whoever relays them, which need not be secret but must reach all unchanged. docs/multiparty.md says what is
 * protected and what is not: holders follow the protocol, and answer only for results of a program they have agreed on.
 *
 * One thing asked of the holders is a session. Everyone makes it alike, from the same arguments; each holder adds its
 * answer, everyone collects the answers, and whoever has them all has the outcome:
 *
 *     gb_session_decrypt(&s, e, t, 0, c, &program);        // everyone
 *     gb_holder_answer(&data, &size, e, holder, s);        // each holder; data goes to whoever gathers
 *     gb_session_add(s, e, data, size);                    // who gathers, for each holder's answer
 *     gb_session_integers(values, count, e, s);
 *
 * Two answers for one ciphertext give the secret away piece by piece (eprint 2026/031). So a holder has a ledger, a
 * file in which it notes an answer before it leaves: the same session again gets the same bytes, any other session
 * about that ciphertext, or one with other holders, is refused for ever (STATE). There is no holder without one, and
 * none that has lost it.
 *
 * Errors of every call: ARGUMENT, PARAMS as in cipher.h; then those named. */
#ifndef GLOVEBOX_THRESHOLD_H
#define GLOVEBOX_THRESHOLD_H

#include "glovebox/cipher.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GB_THRESHOLD_PARTIES 64
#define GB_CONTRIBUTION_BYTES 32

/* ---- the joint key's description, the same for all ---- */
typedef struct gb_threshold gb_threshold;
/* threshold of `parties` open results, 2 <= threshold <= parties <= 64. contributions: 32 random bytes of each party
 * one after the other, whose hashes all have shown before the first was shown, so that nobody can choose the outcome.
 * MEMORY.
 */
GB_API GB_CHECK gb_status gb_threshold_new(gb_threshold **out, gb_engine *e, unsigned parties, unsigned threshold,
                                           const uint8_t *contributions);
GB_API void gb_threshold_free(gb_threshold *t); /* after its sessions; NULL is allowed */

/* ---- one party's side ---- */
typedef struct gb_holder gb_holder; /* guarded, wiped memory; never leaves the machine of its owner */
/* Party `index`, from 0, with a new secret. ledger: a file that does not exist yet (EXISTS); one process has it open at
 * a time. INSECURE, IO, SPACE, MEMORY. */
GB_API GB_CHECK gb_status gb_holder_new(gb_holder **out, gb_engine *e, const gb_threshold *t, unsigned index,
                                        const char *ledger);
/* The same party again, from what gb_holder_save gave, and its ledger: NOT_FOUND when that is lost, for what was
 * answered would be forgotten; make a new joint key then. STATE (open elsewhere), FORMAT (damaged). */
GB_API GB_CHECK gb_status gb_holder_load(gb_holder **out, gb_engine *e, const gb_threshold *t, unsigned index,
                                         const uint8_t saved[GB_KEY_BYTES], const char *ledger);
/* To be stored encrypted, and wiped; with a threshold below the number of parties, what was dealt beside it. */
GB_API GB_CHECK gb_status gb_holder_save(uint8_t out[GB_KEY_BYTES], gb_engine *e, const gb_holder *h);
GB_API void gb_holder_free(gb_holder *h);

/* A threshold below the number of parties: each deals a secret message of gb_threshold_deal_bytes to each, itself too,
 * over a sealed channel; the caller wipes out. Who has collected what all dealt to it, one after the other in any
 * order, can answer sessions that not all take part in. SIZE: ARGUMENT; KEY (dealt to another, twice, or by no party).
 */
GB_API size_t gb_threshold_deal_bytes(const gb_threshold *t);
GB_API GB_CHECK gb_status gb_holder_deal(uint8_t *out, size_t size, gb_engine *e, const gb_holder *h, unsigned to);
GB_API GB_CHECK gb_status gb_holder_collect(gb_holder *h, gb_engine *e, const uint8_t *dealt, size_t size);

/* ---- sessions ----
 * active: bit i for party i, at least `threshold` of them; 0: all. t, and a recipient's key, live longer than the
 * session; a ciphertext is copied. */
typedef struct gb_session gb_session;
GB_API void gb_session_free(gb_session *s);

/* Keys. The public key; multiplication, which takes two rounds: all answer, everyone adds all answers, all answer
 * again; rotation; conjugation. Holders answer these as often as they are asked, always with the same bytes. INSECURE.
 */
GB_API GB_CHECK gb_status gb_session_public(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active);
GB_API GB_CHECK gb_status gb_session_multiply(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active);
GB_API GB_CHECK gb_status gb_session_rotate(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active,
                                            int step);
GB_API GB_CHECK gb_status gb_session_conjugate(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active);

/* The program whose result is opened: from it follows how large the noise can be in the worst case, and from that the
 * noise that every holder adds to hide it. To understate it is to endanger the key. */
typedef struct gb_program_shape {
    size_t size;          /* sizeof(gb_program_shape), set by gb_program_shape_defaults */
    unsigned products;    /* one after another, at most; default 0 */
    uint64_t terms;       /* of any sum before, between or after them, at most; default 1 */
    double largest;       /* CKKS: |value| stays below this in every slot, inputs to result; default 1 */
    unsigned statistical; /* what a share tells beside the result is within 2^-statistical of nothing, 40..128; each
                             share counts; default 64 */
} gb_program_shape;
GB_API void gb_program_shape_defaults(gb_program_shape *p);

/* Opens c to whoever gathers the answers; or turns it into a ciphertext for a recipient, who alone decrypts it; or
 * gives it all levels again (CKKS; interactive bootstrapping, which tells nobody anything). Made from ciphertexts under
 * the joint public key by the program. NOISE: what hides the noise does not fit under the modulus, or (CKKS) would
 * drown the result: fewer products, a deeper set, or a smaller `statistical`. LEVEL (refresh: none left to adjust the
 * scale). */
GB_API GB_CHECK gb_status gb_session_decrypt(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active,
                                             const gb_cipher *c, const gb_program_shape *program);
GB_API GB_CHECK gb_status gb_session_switch(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active,
                                            const gb_cipher *c, const gb_program_shape *program,
                                            const gb_keyset *recipient);
GB_API GB_CHECK gb_status gb_session_refresh(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active,
                                             const gb_cipher *c, const gb_program_shape *program);
/* CKKS, an opening or a switch: a bound on what the holders' noise changes in any slot, but for 2^-30; else 0. */
GB_API double gb_session_error(const gb_session *s);

/* A holder's answer to what the session asks now. *data is freed with gb_bytes_free. KEY (not among the active), STATE
 * (has answered another session about this ciphertext; or: nothing collected yet; or: a round is not complete), IO. */
GB_API GB_CHECK gb_status gb_holder_answer(uint8_t **data, size_t *size, gb_engine *e, const gb_holder *h,
                                           const gb_session *s);
/* Adds an answer; the holders whose answer is missing in this round (0: all are there). FORMAT, TRUNCATED; KEY (answers
 * another session, or comes from no active holder), EXISTS (twice from one). */
GB_API GB_CHECK gb_status gb_session_add(gb_session *s, gb_engine *e, const uint8_t *data, size_t size);
GB_API uint64_t gb_session_missing(const gb_session *s);

/* ---- outcomes, once all answers are there (STATE); of a session of another kind: ARGUMENT ---- */
GB_API GB_CHECK gb_status gb_session_key(gb_keyset **out, gb_engine *e, const gb_session *s);
GB_API GB_CHECK gb_status gb_session_evalkey(gb_evalkeys *k, gb_engine *e, const gb_session *s); /* adds it to k */
GB_API GB_CHECK gb_status gb_session_integers(int64_t *values, size_t count, gb_engine *e, const gb_session *s);
GB_API GB_CHECK gb_status gb_session_reals(double *re, double *im, size_t count, gb_engine *e, const gb_session *s);
GB_API GB_CHECK gb_status gb_session_cipher(gb_cipher *out, gb_engine *e, const gb_session *s); /* switch, refresh */

#ifdef __cplusplus
}
#endif
#endif
