/* client/keyfile: see keyfile.h. Argon2id and XChaCha20-Poly1305 are libsodium's. */
#include "client/keyfile.h"

#include <sodium.h>

#define GB_KEYFILE_VERSION 1
#define GB_KEYFILE_KDF 1
#define GB_KEYFILE_HEADER (GB_KEYFILE_BYTES - GB_KEYFILE_ROOT - 16)
#define GB_KEYFILE_MEMORY_MIN 8192

static const uint8_t magic[8] = {'G', 'B', 'K', 'E', 'Y', 0, 0, 0};

void gb_keyfile_encode(uint8_t out[GB_KEYFILE_BYTES], const gb_keyfile *f) {
    memset(out, 0, GB_KEYFILE_BYTES);
    memcpy(out, magic, sizeof magic);
    out[8] = GB_KEYFILE_VERSION;
    out[10] = GB_KEYFILE_KDF;
    for (unsigned i = 0; i < 8; i++) {
        out[16 + i] = (uint8_t)(f->ops >> (8 * i));
        out[24 + i] = (uint8_t)(f->memory >> (8 * i));
        out[32 + i] = (uint8_t)(f->created >> (8 * i));
    }
    memcpy(out + 40, f->salt, sizeof f->salt);
    memcpy(out + 56, f->nonce, sizeof f->nonce);
    memcpy(out + 80, f->params.b, GB_HASH_BYTES);
    memcpy(out + 112, f->key.b, GB_HASH_BYTES);
    memcpy(out + GB_KEYFILE_HEADER, f->sealed, sizeof f->sealed);
}

gb_status gb_keyfile_decode(gb_keyfile *f, gb_ctx *ctx, const char *name, const uint8_t *data, size_t n) {
    memset(f, 0, sizeof *f);
    if (n >= sizeof magic && memcmp(data, magic, sizeof magic) != 0)
        return gb_fail(ctx, GB_ERR_FORMAT, "%s: not a key file; restore it from a backup", name);
    if (n < GB_KEYFILE_BYTES)
        return gb_fail(ctx, GB_ERR_TRUNCATED, "%s: %zu bytes where a key file has %d; restore it from a backup", name,
                       n, GB_KEYFILE_BYTES);
    gb_reader r = gb_reader_init(data, n);
    (void)gb_read_bytes(&r, sizeof magic);
    const unsigned version = gb_read_u16(&r), kdf = gb_read_u16(&r);
    if (version != GB_KEYFILE_VERSION || kdf != GB_KEYFILE_KDF)
        return gb_fail(ctx, GB_ERR_VERSION, "%s: key file version %u, kdf %u; this program reads version %d, kdf %d",
                       name, version, kdf, GB_KEYFILE_VERSION, GB_KEYFILE_KDF);
    const uint32_t reserved = gb_read_u32(&r);
    f->ops = gb_read_u64(&r);
    f->memory = gb_read_u64(&r);
    f->created = gb_read_u64(&r);
    memcpy(f->salt, data + 40, sizeof f->salt);
    memcpy(f->nonce, data + 56, sizeof f->nonce);
    memcpy(f->params.b, data + 80, GB_HASH_BYTES);
    memcpy(f->key.b, data + 112, GB_HASH_BYTES);
    memcpy(f->sealed, data + GB_KEYFILE_HEADER, sizeof f->sealed);
    if (n != GB_KEYFILE_BYTES || reserved != 0 || f->ops < 1 || f->ops > GB_KEYFILE_OPS_MAX ||
        f->memory < GB_KEYFILE_MEMORY_MIN || f->memory > GB_KEYFILE_MEMORY_MAX || f->created > UINT64_C(1) << 40)
        return gb_fail(ctx, GB_ERR_FORMAT, "%s: damaged key file; restore it from a backup", name);
    return GB_OK;
}

/* The passphrase's key, in guarded memory; frees nothing on success. */
static gb_status derive(uint8_t **out, gb_ctx *ctx, const gb_keyfile *f, const char *passphrase) {
    GB_TRY(gb_alloc_secret(out, ctx, crypto_aead_xchacha20poly1305_ietf_KEYBYTES, 1));
    if (crypto_pwhash(*out, crypto_aead_xchacha20poly1305_ietf_KEYBYTES, passphrase, strlen(passphrase), f->salt,
                      f->ops, (size_t)f->memory, crypto_pwhash_ALG_ARGON2ID13) != 0) {
        gb_free_secret(*out);
        *out = NULL;
        return gb_fail(ctx, GB_ERR_MEMORY, "opening the key needs %llu MiB of memory for its passphrase; free some",
                       (unsigned long long)(f->memory >> 20));
    }
    return GB_OK;
}

gb_status gb_keyfile_seal(gb_keyfile *f, gb_ctx *ctx, const uint8_t root[GB_KEYFILE_ROOT], const char *passphrase) {
    if (strlen(passphrase) < GB_PASSPHRASE_MIN)
        return gb_fail(ctx, GB_ERR_KEY, "the passphrase has fewer than %d bytes; choose a longer one",
                       GB_PASSPHRASE_MIN);
    gb_random_bytes(f->salt, sizeof f->salt);
    gb_random_bytes(f->nonce, sizeof f->nonce);
    memset(f->sealed, 0, sizeof f->sealed);
    uint8_t header[GB_KEYFILE_BYTES], *key;
    gb_keyfile_encode(header, f);
    GB_TRY(derive(&key, ctx, f, passphrase));
    crypto_aead_xchacha20poly1305_ietf_encrypt(f->sealed, NULL, root, GB_KEYFILE_ROOT, header, GB_KEYFILE_HEADER, NULL,
                                               f->nonce, key);
    gb_free_secret(key);
    return GB_OK;
}

gb_status gb_keyfile_open(uint8_t root[GB_KEYFILE_ROOT], gb_ctx *ctx, const gb_keyfile *f, const char *passphrase) {
    uint8_t header[GB_KEYFILE_BYTES], *key;
    gb_keyfile_encode(header, f);
    GB_TRY(derive(&key, ctx, f, passphrase));
    const int bad = crypto_aead_xchacha20poly1305_ietf_decrypt(root, NULL, NULL, f->sealed, sizeof f->sealed, header,
                                                               GB_KEYFILE_HEADER, f->nonce, key);
    gb_free_secret(key);
    if (bad == 0) return GB_OK;
    gb_wipe(root, GB_KEYFILE_ROOT);
    return gb_fail(ctx, GB_ERR_KEY, "wrong passphrase (or the key file was changed); try again");
}
