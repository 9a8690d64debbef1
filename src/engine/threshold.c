/* engine/threshold: joint keys: holders and sessions over scheme/multiparty and scheme/secret/share. */
#include "glovebox/threshold.h"

#include <math.h>
#include <unistd.h>

#include "engine/internal.h"
#include "scheme/core/noise.h"
#include "scheme/secret/share.h"

#define PRODUCTS_MAX 64
#define TERMS_MAX (UINT64_C(1) << 40)
#define ERROR_SURE 8 /* standard deviations of a slot: beyond them is one of 2^49 */

struct gb_threshold {
    gb_params *params; /* its own, which joint borrows */
    gb_joint joint;
};

struct gb_holder {
    gb_party *party;
    gb_ledger_file *file;
    gb_ledger ledger;
};

struct gb_session {
    const gb_threshold *t;
    gb_request q;
    gb_ct c;             /* of a ciphertext: ours */
    gb_hash key;         /* that the outcome is under */
    double noise, error; /* of what comes out: log2 of a bound (BFV); in a slot (CKKS) */
    gb_share first[GB_JOINT_MAX_PARTIES], second[GB_JOINT_MAX_PARTIES]; /* by party; second: round 2 of a multiply */
    uint64_t have_first, have_second;
};

static gb_status same(gb_engine *e, const char *what, const gb_threshold *t) {
    if (gb_params_same(t->params, e->params)) return GB_OK;
    return gb_fail(e->ctx, GB_ERR_PARAMS, "%s: the joint key is of %s, the engine of %s", what,
                   gb_params_get(t->params)->name, e->info.name);
}

/* ---- the description ---- */
gb_status gb_threshold_new(gb_threshold **out, gb_engine *e, unsigned parties, unsigned threshold,
                           const uint8_t *contributions) {
    GB_TRY(gb_engine_need(e, "joint key", true, true, out, contributions));
    *out = NULL;
    gb_threshold *t;
    gb_seed all[GB_JOINT_MAX_PARTIES], seed;
    if (parties > GB_JOINT_MAX_PARTIES)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "joint key: %u parties, at most %d", parties, GB_JOINT_MAX_PARTIES);
    memcpy(all, contributions, parties * sizeof *all);
    gb_joint_seed(&seed, all, parties);
    GB_TRY(gb_alloc_zero(&t, e->ctx, 1, sizeof *t));
    gb_status s = gb_params_named(&t->params, e->ctx, e->info.name);
    if (s == GB_OK) s = gb_joint_init(&t->joint, e->ctx, t->params, parties, threshold, &seed);
    if (s != GB_OK) {
        gb_threshold_free(t);
        return s;
    }
    *out = t;
    return GB_OK;
}

void gb_threshold_free(gb_threshold *t) {
    if (!t) return;
    gb_params_free(t->params);
    gb_free(t);
}

/* ---- holders ---- */
void gb_holder_free(gb_holder *h) {
    if (!h) return;
    gb_party_free(h->party);
    gb_ledger_file_close(h->file);
    gb_free(h);
}

/* saved NULL: a new one, which has answered nothing yet, so that its ledger must not be there; and the other way. */
static gb_status open_holder(gb_holder **out, gb_engine *e, const gb_threshold *t, unsigned index, const uint8_t *saved,
                             const char *ledger) {
    GB_TRY(gb_engine_need(e, "holder", true, true, out, t));
    *out = NULL;
    GB_TRY(gb_engine_need(e, "holder", true, true, ledger, ledger));
    GB_TRY(same(e, "holder", t));
    const bool there = access(ledger, F_OK) == 0;
    if (there && !saved)
        return gb_fail(e->ctx, GB_ERR_EXISTS, "holder: %s is there already; a new holder has a ledger of its own",
                       ledger);
    if (!there && saved)
        return gb_fail(e->ctx, GB_ERR_NOT_FOUND,
                       "holder: its ledger %s is not there; without it nothing may be answered, make a new joint key",
                       ledger);
    gb_holder *h;
    GB_TRY(gb_alloc_zero(&h, e->ctx, 1, sizeof *h));
    gb_status s = saved ? gb_party_restore(&h->party, e->ctx, &t->joint, index, saved)
                        : gb_party_new(&h->party, e->ctx, &t->joint, index);
    if (s == GB_OK) s = gb_ledger_file_open(&h->file, e->ctx, ledger);
    if (s != GB_OK) {
        gb_holder_free(h);
        return s;
    }
    h->ledger = gb_ledger_of_file(h->file);
    *out = h;
    return GB_OK;
}

gb_status gb_holder_new(gb_holder **out, gb_engine *e, const gb_threshold *t, unsigned index, const char *ledger) {
    return open_holder(out, e, t, index, NULL, ledger);
}

gb_status gb_holder_load(gb_holder **out, gb_engine *e, const gb_threshold *t, unsigned index,
                         const uint8_t saved[GB_KEY_BYTES], const char *ledger) {
    GB_TRY(gb_engine_need(e, "load a holder", true, true, out, saved));
    return open_holder(out, e, t, index, saved, ledger);
}

gb_status gb_holder_save(uint8_t out[GB_KEY_BYTES], gb_engine *e, const gb_holder *h) {
    GB_TRY(gb_engine_need(e, "save a holder", true, true, out, h));
    gb_party_root(out, h->party);
    return GB_OK;
}

/* ---- any t of n ---- */
static size_t deal_bytes(const gb_params *p) {
    const size_t data = gb_params_get(p)->data_count;
    const gb_share shape = {.params = p, .kind = GB_SHARE_DEAL, .limbs = (unsigned)data};
    return gb_share_bytes(&shape);
}

size_t gb_threshold_deal_bytes(const gb_threshold *t) { return t ? deal_bytes(t->params) : 0; }

gb_status gb_holder_deal(uint8_t *out, size_t size, gb_engine *e, const gb_holder *h, unsigned to) {
    GB_TRY(gb_engine_need(e, "deal", true, true, out, h));
    const gb_params *p = gb_party_joint(h->party)->params;
    if (size != deal_bytes(p))
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "deal: room for %zu bytes, must be %zu", size, deal_bytes(p));
    gb_share share;
    GB_TRY(gb_party_deal(&share, e->ctx, h->party, to));
    gb_share_write(out, &share);
    gb_share_release(&share);
    return GB_OK;
}

gb_status gb_holder_collect(gb_holder *h, gb_engine *e, const uint8_t *dealt, size_t size) {
    GB_TRY(gb_engine_need(e, "collect", true, true, h, dealt));
    const gb_joint *j = gb_party_joint(h->party);
    const size_t one = deal_bytes(j->params);
    gb_share shares[GB_JOINT_MAX_PARTIES];
    size_t count = 0;
    if (size != j->parties * one)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "collect: %zu bytes; %u parties deal %zu each", size, j->parties, one);
    gb_status s = GB_OK;
    while (s == GB_OK && count < j->parties) {
        s = gb_share_decode(&shares[count], e->ctx, j->params, dealt + count * one, one);
        if (s == GB_OK) count++;
    }
    if (s == GB_OK) s = gb_party_collect(h->party, e->ctx, shares, count);
    while (count > 0) gb_share_release(&shares[--count]);
    return s;
}

/* ---- sessions ---- */
void gb_session_free(gb_session *s) {
    if (!s) return;
    for (size_t i = 0; i < GB_JOINT_MAX_PARTIES; i++) {
        if (s->have_first >> i & 1) gb_share_release(&s->first[i]);
        if (s->have_second >> i & 1) gb_share_release(&s->second[i]);
    }
    gb_ct_release(&s->c);
    gb_free(s);
}

/* Checks the handles and makes the session, without its request. */
static gb_status begin(gb_session **out, gb_engine *e, const char *what, const gb_threshold *t) {
    GB_TRY(gb_engine_need(e, what, true, true, out, t));
    *out = NULL;
    GB_TRY(same(e, what, t));
    GB_TRY(gb_alloc_zero(out, e->ctx, 1, sizeof **out));
    (*out)->t = t;
    return GB_OK;
}

static gb_status end(gb_session **out, gb_status s) {
    if (s == GB_OK) return GB_OK;
    gb_session_free(*out);
    *out = NULL;
    return s;
}

static uint64_t everyone(const gb_threshold *t, uint64_t active) { return active ? active : gb_joint_all(&t->joint); }

static gb_status key_session(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active, gb_share_kind kind,
                             uint64_t galois) {
    GB_TRY(begin(out, e, "session for a key", t));
    const unsigned limbs = (unsigned)gb_params_get(t->params)->data_count;
    return end(out, gb_request_key(&(*out)->q, e->ctx, &t->joint, kind, everyone(t, active), galois, limbs, 0));
}

gb_status gb_session_public(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active) {
    return key_session(out, e, t, active, GB_SHARE_PUBLIC, 0);
}
gb_status gb_session_multiply(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active) {
    return key_session(out, e, t, active, GB_SHARE_RELIN_FIRST, 1);
}
gb_status gb_session_rotate(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active, int step) {
    GB_TRY(gb_engine_need(e, "session for a rotation", true, true, out, t));
    return key_session(out, e, t, active, GB_SHARE_ROTATION, gb_galois_rotation(e->params, step));
}
gb_status gb_session_conjugate(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active) {
    GB_TRY(gb_engine_need(e, "session for conjugation", true, true, out, t));
    return key_session(out, e, t, active, GB_SHARE_ROTATION, gb_galois_conjugation(e->params));
}

/* ---- the noise of a program, in the worst case ---- */
void gb_program_shape_defaults(gb_program_shape *p) {
    *p = (gb_program_shape){.size = sizeof *p, .products = 0, .terms = 1, .largest = 1, .statistical = 64};
}

static gb_status check_shape(gb_engine *e, const gb_program_shape *p) {
    if (p->size != sizeof *p || p->products > PRODUCTS_MAX || p->terms < 1 || p->terms > TERMS_MAX ||
        !(p->largest > 0) || !isfinite(p->largest))
        return gb_fail(e->ctx, GB_ERR_ARGUMENT,
                       "program shape: %u products, %llu terms, values up to %g; at most %d, 1 to 2^40, above 0; start "
                       "from gb_program_shape_defaults",
                       p->products, (unsigned long long)p->terms, p->largest, PRODUCTS_MAX);
    if (e->encoder && p->products > e->top)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "program shape: %u products, %s has %u levels", p->products, e->info.name,
                       e->top);
    return GB_OK;
}

/* log2 of a bound of every coefficient of the noise, for any inputs, that lasts whatever was lowered on the way: what
 * is divided rounds to less than half of a fresh encryption's noise (one bit), and the noise of integers is taken as if
 * nothing was. Every value may be rotated; sums by rotations switch keys twice a term at most. */
static double worst_noise(gb_engine *e, const gb_threshold *t, const gb_program_shape *p) {
    const uint64_t plain = e->bfv ? gb_bfv_modulus(e->bfv) : 0;
    gb_noise_model m;
    gb_noise fresh, x;
    gb_noise_model_init(&m, t->params, 0);
    m.parties = t->joint.parties;
    m.dependent = true;
    if (e->bfv)
        gb_noise_bfv_fresh(&fresh, &m, e->primes, plain, true);
    else
        gb_noise_fresh(&fresh, &m, e->primes, e->scale[e->top], p->largest, p->largest, true);
    fresh.worst += 1;
    x = fresh;
    for (unsigned i = 0; i <= p->products; i++) {
        if (i && e->bfv) {
            gb_noise_bfv_tensor(&x, &m, &x, &x, plain);
            gb_noise_relinearize(&x, &m, &x);
        } else if (i) {
            const unsigned level = e->top - i;
            gb_noise_tensor(&x, &m, &x, &x);
            gb_noise_relinearize_divide(&x, &m, &x, x.limbs - gb_engine_limbs(e, level));
        }
        gb_noise_automorphism(&x, &m, &x);
        gb_noise_automorphism(&x, &m, &x);
        gb_noise_times(&x, &x, (double)p->terms);
        x.message_worst = fresh.message_worst, x.message_rms = fresh.message_rms; /* declared, or modulo t */
    }
    return x.worst;
}

static double minus_bits(double a, double b) { return a > b ? a + log2(1 - exp2(b - a)) : -INFINITY; }

static void flooding(gb_flooding *f, gb_engine *e, const gb_ct *c, double noise, const gb_program_shape *p) {
    const double q = gb_ring_log2_q(gb_params_ring(e->params), c->limbs);
    f->statistical = p->statistical;
    f->noise_log2 = fmax(noise, 0);
    f->room_log2 = e->bfv ? gb_engine_most(e, c->limbs) : minus_bits(q - 1, log2(p->largest * c->scale));
}

/* What the holders' noise does to the result, and whether anything is left of it. */
static gb_status outcome(gb_session *s, gb_engine *e, const gb_program_shape *p) {
    const gb_request *q = &s->q;
    const double holders = __builtin_popcountll(q->active);
    s->noise = gb_log2_sum(q->flooding.noise_log2, q->flood_bits + log2(holders));
    if (q->kind == GB_SHARE_SWITCH) s->noise = gb_log2_sum(s->noise, log2(holders * 21 * (2 * (double)e->n + 1)));
    if (e->bfv) return GB_OK;
    s->error = ERROR_SURE * sqrt((double)e->n * holders / 3) * exp2(q->flood_bits - log2(s->c.scale));
    if (s->error < p->largest) return GB_OK;
    return gb_fail(e->ctx, GB_ERR_NOISE,
                   "session: what hides the noise would change slots by %.1g, and they hold values up to %g; take a "
                   "joint-* set, whose scale has room for it",
                   s->error, p->largest);
}

static gb_status check_cipher(gb_engine *e, const char *what, const gb_cipher *c, const gb_program_shape *p) {
    GB_TRY(gb_engine_need(e, what, true, true, c, p));
    GB_TRY(gb_engine_filled(e, what, c));
    return check_shape(e, p);
}

static gb_status hold(gb_session *s, gb_engine *e, const gb_ct *c) {
    GB_TRY(gb_ct_init(&s->c, e->ctx, s->t->params, 2, c->limbs));
    GB_TRY(gb_ct_copy(&s->c, e->ctx, c));
    s->c.params = s->t->params;
    return GB_OK;
}

static gb_status open_session(gb_session *s, gb_engine *e, uint64_t active, const gb_cipher *c,
                              const gb_program_shape *p, const gb_keyset *recipient) {
    gb_flooding f;
    GB_TRY(hold(s, e, &c->ct));
    s->key = recipient ? *gb_keyset_id(recipient) : c->key;
    flooding(&f, e, &s->c, worst_noise(e, s->t, p), p);
    active = everyone(s->t, active);
    GB_TRY(recipient ? gb_request_switch(&s->q, e->ctx, &s->t->joint, active, &s->c, &f, recipient)
                     : gb_request_decrypt(&s->q, e->ctx, &s->t->joint, active, &s->c, &f));
    return outcome(s, e, p);
}

gb_status gb_session_decrypt(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active, const gb_cipher *c,
                             const gb_program_shape *program) {
    GB_TRY(begin(out, e, "session to decrypt", t));
    gb_status s = check_cipher(e, "session to decrypt", c, program);
    if (s == GB_OK) s = open_session(*out, e, active, c, program, NULL);
    return end(out, s);
}

gb_status gb_session_switch(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active, const gb_cipher *c,
                            const gb_program_shape *program, const gb_keyset *recipient) {
    GB_TRY(begin(out, e, "session to switch", t));
    gb_status s = check_cipher(e, "session to switch", c, program);
    if (s == GB_OK) s = gb_engine_need(e, "session to switch", true, true, recipient, recipient);
    if (s == GB_OK) s = open_session(*out, e, active, c, program, recipient);
    return end(out, s);
}

/* What comes back has the phase, and so the scale, of what went in: it is brought to the top level's first. */
static gb_status refresh_session(gb_session *s, gb_engine *e, uint64_t active, const gb_cipher *c,
                                 const gb_program_shape *p) {
    gb_ct at = c->ct;
    double noise = worst_noise(e, s->t, p);
    s->key = c->key;
    if (at.scale != e->scale[e->top]) {
        const unsigned level = gb_engine_level(e, &at);
        GB_TRY(gb_engine_spend(e, "refresh", c));
        at.limbs = gb_engine_limbs(e, level);
        GB_TRY(
            gb_ckks_mul_scalar(&e->lower, e->eval, &at, 1, e->scale[e->top] * gb_engine_divisor(e, level) / at.scale));
        GB_TRY(gb_ckks_rescale(&e->lower, e->eval));
        at = e->lower;
        at.scale = e->scale[e->top]; /* what it is but for the rounding of doubles */
        /* the scales differ by less than half a bit; rounding: (1 + |s|) / 2 */
        noise = gb_log2_sum(noise + 0.5, log2((1.0 + s->t->joint.parties * (double)e->n) / 2));
    }
    GB_TRY(hold(s, e, &at));
    gb_flooding f = {.statistical = p->statistical,
                     .noise_log2 = gb_log2_sum(log2(p->largest * at.scale), noise), /* it masks the message too */
                     .room_log2 = gb_ring_log2_q(gb_params_ring(e->params), at.limbs) - 2};
    return gb_request_refresh(&s->q, e->ctx, &s->t->joint, everyone(s->t, active), &s->c, &f, e->primes);
}

gb_status gb_session_refresh(gb_session **out, gb_engine *e, const gb_threshold *t, uint64_t active, const gb_cipher *c,
                             const gb_program_shape *program) {
    GB_TRY(begin(out, e, "session to refresh", t));
    gb_status s = gb_engine_need(e, "session to refresh", true, false, c, program);
    if (s == GB_OK) s = check_cipher(e, "session to refresh", c, program);
    if (s == GB_OK) s = refresh_session(*out, e, active, c, program);
    return end(out, s);
}

double gb_session_error(const gb_session *s) { return s ? s->error : 0; }

/* ---- answers ---- */
/* The shares of one round without gaps, as the scheme takes them. Views. */
static size_t gather(gb_share *out, const gb_share *of, uint64_t have) {
    size_t count = 0;
    for (size_t i = 0; i < GB_JOINT_MAX_PARTIES; i++)
        if (have >> i & 1) out[count++] = of[i];
    return count;
}

static gb_status answer(gb_buffer *b, gb_engine *e, const gb_holder *h, const gb_session *s) {
    gb_share shares[GB_JOINT_MAX_PARTIES], one;
    if (s->q.kind != GB_SHARE_PUBLIC && s->q.kind != GB_SHARE_ROTATION && s->q.kind != GB_SHARE_RELIN_FIRST)
        return gb_party_open_share(b, e->ctx, h->party, &s->q, &s->c, &h->ledger);
    if (s->q.kind == GB_SHARE_RELIN_FIRST && s->have_first == s->q.active)
        return gb_party_relin_second(b, e->ctx, h->party, &s->q, shares, gather(shares, s->first, s->have_first),
                                     &h->ledger);
    GB_TRY(gb_party_key_share(&one, e->ctx, h->party, &s->q));
    const gb_status status = gb_share_encode(b, e->ctx, &one);
    gb_share_release(&one);
    return status;
}

gb_status gb_holder_answer(uint8_t **data, size_t *size, gb_engine *e, const gb_holder *h, const gb_session *s) {
    GB_TRY(gb_engine_need(e, "answer", true, true, data, size));
    *data = NULL;
    GB_TRY(gb_engine_need(e, "answer", true, true, h, s));
    gb_buffer b = GB_BUFFER_INIT;
    const gb_status status = answer(&b, e, h, s);
    if (status != GB_OK) {
        gb_buffer_release(&b);
        return status;
    }
    *data = b.data;
    *size = b.size;
    return GB_OK;
}

gb_status gb_session_add(gb_session *s, gb_engine *e, const uint8_t *data, size_t size) {
    gb_share one;
    GB_TRY(gb_engine_need(e, "add an answer", true, true, s, data));
    GB_TRY(gb_share_decode(&one, e->ctx, s->t->params, data, size));
    const bool second = one.kind == GB_SHARE_RELIN_SECOND && s->q.kind == GB_SHARE_RELIN_FIRST;
    uint64_t *have = second ? &s->have_second : &s->have_first;
    const uint64_t bit = UINT64_C(1) << one.party; /* below 64: gb_share_decode */
    gb_status status = GB_OK;
    if ((!second && one.kind != s->q.kind) || !gb_hash_equal(&one.request, &s->q.id) || !(s->q.active & bit))
        status = gb_fail(e->ctx, GB_ERR_KEY, "what party %u answered is not for this session", one.party);
    else if (*have & bit)
        status = gb_fail(e->ctx, GB_ERR_EXISTS, "party %u has answered already", one.party);
    if (status != GB_OK) {
        gb_share_release(&one);
        return status;
    }
    (second ? s->second : s->first)[one.party] = one;
    *have |= bit;
    return GB_OK;
}

uint64_t gb_session_missing(const gb_session *s) {
    if (!s) return 0;
    const bool second = s->q.kind == GB_SHARE_RELIN_FIRST && s->have_first == s->q.active;
    return s->q.active & ~(second ? s->have_second : s->have_first);
}

/* ---- outcomes ---- */
static gb_status complete(gb_share *shares, gb_engine *e, const char *what, const gb_session *s, bool kind) {
    GB_TRY(same(e, what, s->t));
    if (!kind) return gb_fail(e->ctx, GB_ERR_ARGUMENT, "%s: the session is of another kind", what);
    if (gb_session_missing(s))
        return gb_fail(e->ctx, GB_ERR_STATE, "%s: party %d has not answered", what,
                       __builtin_ctzll(gb_session_missing(s)));
    (void)gather(shares, s->first, s->have_first);
    return GB_OK;
}

static size_t answers(const gb_session *s) { return (size_t)__builtin_popcountll(s->q.active); }

gb_status gb_session_key(gb_keyset **out, gb_engine *e, const gb_session *s) {
    gb_share shares[GB_JOINT_MAX_PARTIES];
    GB_TRY(gb_engine_need(e, "joint public key", true, true, out, s));
    *out = NULL;
    GB_TRY(complete(shares, e, "joint public key", s, s->q.kind == GB_SHARE_PUBLIC));
    return gb_joint_public_key(out, e->ctx, &s->t->joint, &s->q, shares, answers(s));
}

gb_status gb_session_evalkey(gb_evalkeys *k, gb_engine *e, const gb_session *s) {
    gb_share shares[GB_JOINT_MAX_PARTIES], second[GB_JOINT_MAX_PARTIES];
    const gb_eval_keys *keys;
    gb_switch_key key;
    const char *what = "joint evaluation key";
    GB_TRY(gb_engine_need(e, what, true, true, k, s));
    GB_TRY(gb_engine_keys(&keys, e, what, k, &k->key));
    const bool multiply = s->q.kind == GB_SHARE_RELIN_FIRST;
    GB_TRY(complete(shares, e, what, s, multiply || s->q.kind == GB_SHARE_ROTATION));
    if (multiply) {
        (void)gather(second, s->second, s->have_second);
        GB_TRY(gb_joint_relin_key(&key, e->ctx, &s->t->joint, &s->q, shares, second, answers(s)));
    } else {
        GB_TRY(gb_joint_rotation_key(&key, e->ctx, &s->t->joint, &s->q, shares, answers(s)));
    }
    key.params = k->params; /* borrowed: those that live as long */
    const gb_status status = gb_eval_keys_add(&k->all.keys, e->ctx, &key);
    if (status != GB_OK) gb_switch_key_release(&key);
    return status;
}

gb_status gb_session_integers(int64_t *values, size_t count, gb_engine *e, const gb_session *s) {
    gb_share shares[GB_JOINT_MAX_PARTIES];
    GB_TRY(gb_engine_need(e, "joint decryption", false, true, values, s));
    GB_TRY(complete(shares, e, "joint decryption", s, s->q.kind == GB_SHARE_DECRYPT));
    if (count > e->n)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "joint decryption: %zu integers; %s holds %zu", count, e->info.name,
                       e->n);
    gb_status status = gb_joint_phase(e->phase, e->ctx, &s->t->joint, &s->q, &s->c, shares, answers(s));
    if (status == GB_OK) {
        gb_bfv_scale_down(e->poly, e->bfv, s->c.limbs, e->phase);
        gb_bfv_decode(values, e->bfv, e->poly, count);
    }
    gb_wipe(e->phase, e->n * e->primes * sizeof *e->phase);
    gb_wipe(e->poly, e->n * sizeof *e->poly);
    return status;
}

gb_status gb_session_reals(double *re, double *im, size_t count, gb_engine *e, const gb_session *s) {
    gb_share shares[GB_JOINT_MAX_PARTIES];
    GB_TRY(gb_engine_need(e, "joint decryption", true, false, re, s));
    GB_TRY(complete(shares, e, "joint decryption", s, s->q.kind == GB_SHARE_DECRYPT));
    const size_t slots = e->n / 2;
    if (count < 1 || count > slots)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "joint decryption: %zu numbers; %s holds 1 to %zu", count, e->info.name,
                       slots);
    double *all;
    GB_TRY(gb_alloc_secret(&all, e->ctx, 2 * e->n, sizeof *all));
    const gb_status status = gb_joint_decrypt(all, e->ctx, &s->t->joint, &s->q, &s->c, shares, answers(s));
    if (status == GB_OK) {
        gb_ckks_slots_of(all + e->n, all + e->n + slots, slots, all, e->encoder);
        memcpy(re, all + e->n, count * sizeof *re);
        if (im) memcpy(im, all + e->n + slots, count * sizeof *im);
    }
    gb_free_secret(all);
    return status;
}

gb_status gb_session_cipher(gb_cipher *out, gb_engine *e, const gb_session *s) {
    gb_share shares[GB_JOINT_MAX_PARTIES];
    const bool refresh = s && s->q.kind == GB_SHARE_REFRESH;
    GB_TRY(gb_engine_need(e, "joint ciphertext", true, true, out, s));
    GB_TRY(gb_engine_output(e, "joint ciphertext", out));
    GB_TRY(complete(shares, e, "joint ciphertext", s, refresh || s->q.kind == GB_SHARE_SWITCH));
    GB_TRY(refresh ? gb_joint_refresh(&out->ct, e->eval, &s->t->joint, &s->q, &s->c, shares, answers(s))
                   : gb_joint_switch(&out->ct, e->ctx, &s->t->joint, &s->q, &s->c, shares, answers(s)));
    return gb_engine_finish(out, e, &out->ct, e->bfv ? s->noise : 0, &s->key);
}
