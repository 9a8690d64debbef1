/* client/keyfile: the file that holds one secret key, encrypted under a passphrase. Pure bytes: no files, no prompts.
 *
 * Layout, little-endian, exactly GB_KEYFILE_BYTES:
 *   0  "GBKEY" 0 0 0     8 bytes
 *   8  version u16 = 1, kdf u16 = 1 (Argon2id v1.3), reserved u32 = 0
 *  16  kdf operations u64, kdf memory in bytes u64
 *  32  created u64, seconds since 1970
 *  40  salt[16], nonce[24]
 *  80  hash of the parameters[32], id of the key set[32]
 * 144  root seed[32] encrypted with XChaCha20-Poly1305, tag[16]; bytes 0..143 are the authenticated header. */
#ifndef GB_KEYFILE_H
#define GB_KEYFILE_H

#include "base/base.h"

#define GB_KEYFILE_BYTES 192
#define GB_KEYFILE_ROOT 32
#define GB_PASSPHRASE_MIN 8
/* What a file may ask of this machine: an attacker who can swap the file must not be able to exhaust it. */
#define GB_KEYFILE_OPS_MAX 16
#define GB_KEYFILE_MEMORY_MAX (UINT64_C(1) << 30)

typedef struct gb_keyfile {
    uint64_t ops, memory; /* Argon2id: 1..GB_KEYFILE_OPS_MAX passes, 8 KiB..GB_KEYFILE_MEMORY_MAX bytes */
    uint64_t created;
    uint8_t salt[16], nonce[24];
    gb_hash params, key;
    uint8_t sealed[GB_KEYFILE_ROOT + 16];
} gb_keyfile;

/* Draws salt and nonce and seals root. ops, memory, created, params and key must be set. Errors: KEY (passphrase
 * shorter than GB_PASSPHRASE_MIN bytes), MEMORY. */
GB_CHECK gb_status gb_keyfile_seal(gb_keyfile *f, gb_ctx *ctx, const uint8_t root[GB_KEYFILE_ROOT],
                                   const char *passphrase);
/* Opens the root seed; the caller wipes it. Errors: KEY (wrong passphrase, or the file was changed: one error, they
 * cannot be told apart), MEMORY. */
GB_CHECK gb_status gb_keyfile_open(uint8_t root[GB_KEYFILE_ROOT], gb_ctx *ctx, const gb_keyfile *f,
                                   const char *passphrase);
void gb_keyfile_encode(uint8_t out[GB_KEYFILE_BYTES], const gb_keyfile *f);
/* Checks everything that can be checked without the passphrase. Errors: FORMAT, TRUNCATED, VERSION. name is for errors.
 */
GB_CHECK gb_status gb_keyfile_decode(gb_keyfile *f, gb_ctx *ctx, const char *name, const uint8_t *data, size_t n);

#endif
