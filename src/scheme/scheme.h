/* scheme: RLWE parameters, public keys, bundles of ciphertexts and what may be done to them without a secret key.
 * Secret keys, decryption and symmetric encryption are behind scheme/secret/secret.h and in their own library. */
#ifndef GB_SCHEME_H
#define GB_SCHEME_H

#include "ring/ring.h"

/* ---- parameters: core/params.c. An unchecked literal becomes a checked immutable object once ---- */
typedef struct gb_params_spec {
    const char *name; /* up to 31 characters */
    unsigned log_n;
    unsigned security; /* 128, 192 or 256: the row of the table this set must obey */
    size_t data_count; /* primes of Q */
    uint64_t data[GB_MAX_LIMBS];
    size_t special_count; /* primes of P, for key switching; 0 for linear sets */
    uint64_t special[GB_MAX_LIMBS];
    /* Levels of more than one prime: a rescale of a ciphertext whose top data prime is j divides group[j] primes at
     * once (0: one). A scale may so be larger than any prime. */
    uint8_t group[GB_MAX_LIMBS];
    unsigned weight; /* coefficients of the secret that are not 0: 192; 0: a uniform ternary secret */
} gb_params_spec;

typedef struct gb_params gb_params;
/* Checks primes, distinctness, and log2(QP) against the security table. Errors: PARAMS, INSECURE, MEMORY. */
GB_CHECK gb_status gb_params_new(gb_params **out, gb_ctx *ctx, const gb_params_spec *spec);
/* A shipped set: "tiny-linear" (N = 2048, one prime < 2^50), "linear" (N = 4096, two primes), ... NOT_FOUND lists them.
 */
GB_CHECK gb_status gb_params_named(gb_params **out, gb_ctx *ctx, const char *name);
GB_CHECK gb_status gb_params_by_hash(gb_params **out, gb_ctx *ctx, const gb_hash *hash); /* among the shipped sets */
size_t gb_params_names(const char **out, size_t max);
void gb_params_free(gb_params *p);
const gb_params_spec *gb_params_get(const gb_params *p);
const gb_ring *gb_params_ring(const gb_params *p); /* limbs: data primes, then special primes */
const gb_hash *gb_params_hash(const gb_params *p); /* of the canonical encoding; names a set on the wire */
/* Levels: level 0 is the smallest, the top one has all data primes. Data primes in use at a level, the level of a
 * number of primes (rounded down), and the product of the primes that a rescale from `level` divides. */
unsigned gb_params_limbs(const gb_params *p, unsigned level);
unsigned gb_params_level(const gb_params *p, unsigned limbs);
double gb_params_divisor(const gb_params *p, unsigned level);
/* The security table (eprint 2024/463, ternary secret): most bits of log2(QP) for log_n at 128, 192, 256; 0: none. */
double gb_security_max_log2(unsigned log_n, unsigned security);
/* The same for a secret of this weight (0: uniform ternary): 192 at 128 bits for log_n 15 and 16 (eprint 2022/024,
 * section 5), 0 for all others. */
double gb_security_max_log2_of(unsigned log_n, unsigned security, unsigned weight);
/* The check every key generation makes on the primes that key really uses, for the set's security and secret. Error:
 * INSECURE. */
GB_CHECK gb_status gb_security_check(gb_ctx *ctx, const gb_ring *r, const size_t *limbs, size_t limb_count,
                                     const gb_params_spec *s);

/* ---- the across layout: core/bundle.c ----
 * A bundle is an array of `lines` ciphertexts (c0, c1), line-major over up to three axes; one logical axis runs within
 * a ciphertext as coefficients: coefficient r < rows of line l holds value[l][r] * scale. Phase = c0 + c1 * s. Only the
 * first `rows` coefficients of c0 exist; c1 has all N. Each plane is cut into blocks of GB_SEED_BLOCK (64)
 * coefficients: c0 has gb_bundle_blocks0 = ceil(rows / 64) blocks (the last padded with zeros), c1 has N / 64. A linear
 * map across the bundle works on one block of all lines at a time, with no regard to the others: this is what makes
 * memory small. Storage: tiles of one block by lines_per_tile consecutive lines. A seeded bundle stores no c1: block b
 * of limb j of line l is gb_sample_uniform(seed, stream = l, limb j, first_block = b). */
#define GB_BUNDLE_AXES 3
#define GB_BLOCK GB_SEED_BLOCK
typedef struct gb_axis {
    char name[16];
    uint32_t size;
} gb_axis;

typedef struct gb_bundle_info {
    gb_hash params, key; /* hash of the parameters; id of the key set */
    uint32_t axis_count;
    gb_axis axes[GB_BUNDLE_AXES]; /* slowest first; lines = product of sizes */
    uint32_t rows;                /* coefficients of c0 in use, 1..N */
    uint32_t copies;       /* layout: the rows hold `copies` runs of rows/copies values (2: a point-symmetric pair) */
    uint32_t limbs;        /* > 0: residues modulo the first `limbs` primes; 0: modulo powers of two: */
    uint32_t bits0, bits1; /*   c0 modulo 2^bits0 and c1 modulo 2^bits1, both the top bits of one torus element */
    double scale;          /* integer (modulo Q or 2^max(bits0, bits1)) per unit of value */
    double max_abs;        /* declared bound on |value| */
    uint32_t lines_per_tile;
    bool seeded;
    gb_seed seed; /* public; only when seeded */
} gb_bundle_info;

size_t gb_bundle_lines(const gb_bundle_info *b);
size_t gb_bundle_blocks0(const gb_bundle_info *b);
size_t gb_bundle_blocks1(const gb_bundle_info *b, const gb_params *p); /* stored or not */
size_t gb_bundle_groups(const gb_bundle_info *b);                      /* ceil(lines / lines_per_tile) */
size_t gb_bundle_tiles(const gb_bundle_info *b,
                       const gb_params *p); /* stored tiles: (blocks0 + stored blocks1) * groups */
/* Tile number of (plane 0 or 1, block, group). */
size_t gb_bundle_tile(const gb_bundle_info *b, unsigned plane, size_t block, size_t group);
/* Everything a loader must know before it trusts a manifest. Errors: PARAMS, FORMAT, LIMIT. */
GB_CHECK gb_status gb_bundle_check(gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p);

/* ---- wire form: core/wire.c ----
 * Tile: "GBT1", header (plane, block, group, lines, limbs or bits), then residues packed at their width, line-major
 * ([limb][line][64]). Canonical: one encoding per content. Exact sizes: */
size_t gb_tile_bytes(const gb_bundle_info *b, const gb_params *p, unsigned plane, size_t group);
/* words: limb j of line l (within the group) at words + (j * lines + l) * 64; out has gb_tile_bytes bytes. */
GB_CHECK gb_status gb_tile_encode(uint8_t *out, gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p,
                                  unsigned plane, size_t block, size_t group, const uint64_t *words);
/* Checks header, size and every residue; words as above. Errors: FORMAT, TRUNCATED, PARAMS. */
GB_CHECK gb_status gb_tile_decode(uint64_t *words, gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p,
                                  unsigned plane, size_t block, size_t group, const uint8_t *data, size_t n);

/* A bundle's manifest: info and the hash of every tile, as protobuf (wire.proto: BundleManifest). */
typedef struct gb_manifest {
    gb_bundle_info info;
    size_t tile_count;
    gb_hash *tiles; /* BLAKE2b-256 of each tile's bytes, by tile number */
} gb_manifest;
void gb_manifest_release(gb_manifest *m);
GB_CHECK gb_status gb_manifest_encode(gb_buffer *out, gb_ctx *ctx, const gb_manifest *m);
/* Unpacks and checks against the shipped parameter sets; *params (may be NULL) is made for the caller to free. */
GB_CHECK gb_status gb_manifest_decode(gb_manifest *out, gb_params **params, gb_ctx *ctx, const uint8_t *data, size_t n);

/* Where tiles come from and go to: memory, a folder, a server. read fills data (capacity bytes) and answers its size.
 */
typedef struct gb_tile_source {
    void *user;
    gb_status (*read)(void *user, gb_ctx *ctx, size_t tile, uint8_t *data, size_t capacity, size_t *n);
} gb_tile_source;
typedef struct gb_tile_sink {
    void *user;
    bool (*has)(void *user, size_t tile); /* written by an earlier, interrupted run? may be NULL */
    gb_status (*write)(void *user, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n); /* any thread */
} gb_tile_sink;
/* A folder of files "%08zu.tile", whole or absent. `dir` must outlive them. */
gb_tile_source gb_tile_folder_source(const char *dir);
gb_tile_sink gb_tile_folder_sink(const char *dir);

/* ---- keys that may be given away: core/keyset.c ---- */
typedef struct gb_keyset gb_keyset; /* parameters, key id, public key; later: evaluation keys */
void gb_keyset_free(gb_keyset *k);
const gb_hash *gb_keyset_id(const gb_keyset *k); /* hash of the public key's wire form */
const gb_params *gb_keyset_params(const gb_keyset *k);
GB_CHECK gb_status gb_keyset_encode(gb_buffer *out, gb_ctx *ctx, const gb_keyset *k);
GB_CHECK gb_status gb_keyset_decode(gb_keyset **out, gb_ctx *ctx, const uint8_t *data, size_t n);

/* Public-key encryption of one group of lines: values are integers already scaled, |v| < Q/4, [lines][rows]; the tiles
 * of all blocks of both planes go to the sink (info->seeded must be false). */
GB_CHECK gb_status gb_encrypt_public(gb_ctx *ctx, const gb_keyset *k, const gb_bundle_info *b, size_t group,
                                     const int64_t *values, const gb_tile_sink *sink);

#endif
