/* client/note: see note.h. XChaCha20-Poly1305: its 192-bit nonces may be drawn at random for ever. */
#include "client/note.h"

#include <math.h>
#include <sodium.h>

#define GB_NOTE_VERSION 1
#define GB_NOTE_FIXED (2 + 4 * 4 + 3 * 4)
#define GB_NOTE_PLAIN_MAX (GB_NOTE_FIXED + GB_NOTE_NAME_MAX)
#define GB_NOTE_NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define GB_NOTE_TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define GB_NOTE_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

static const uint8_t purpose[] = "glovebox note 1";

static gb_status note_key(uint8_t **out, gb_client *c) {
    gb_seed *root;
    GB_TRY(gb_alloc_secret(out, c->ctx, GB_SEED_BYTES, 1));
    const gb_status s = gb_alloc_secret(&root, c->ctx, 1, sizeof *root);
    if (s != GB_OK) {
        gb_free_secret(*out);
        return s;
    }
    gb_secret_root(root->b, c->secret);
    gb_seed_derive((gb_seed *)(void *)*out, root, "note", 0);
    gb_free_secret(root);
    return GB_OK;
}

static void write_f32(gb_buffer *b, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    gb_write_u32(b, bits);
}

static float read_f32(gb_reader *r) {
    const uint32_t bits = gb_read_u32(r);
    float v;
    memcpy(&v, &bits, sizeof v);
    return isfinite(v) && v >= 0 ? v : 0;
}

gb_status gb_note_seal(char label[GB_NOTE_LABEL_MAX + 1], gb_client *c, const gb_note *note) {
    gb_buffer plain = GB_BUFFER_INIT;
    gb_write_u8(&plain, GB_NOTE_VERSION);
    gb_write_u8(&plain, (uint8_t)(note->kind | note->sample << 4)); /* both below 16 */
    gb_write_u32(&plain, note->nx);
    gb_write_u32(&plain, note->ny);
    gb_write_u32(&plain, note->nz);
    gb_write_u32(&plain, note->copies);
    for (unsigned i = 0; i < 3; i++) write_f32(&plain, note->pixel[i]);
    gb_write_bytes(&plain, note->name, strnlen(note->name, GB_NOTE_NAME_MAX));
    uint8_t sealed[GB_NOTE_NONCE + GB_NOTE_PLAIN_MAX + GB_NOTE_TAG], *key;
    gb_status s = plain.status == GB_OK ? note_key(&key, c) : gb_fail(c->ctx, GB_ERR_MEMORY, "out of memory");
    if (s == GB_OK) {
        unsigned long long n = 0;
        gb_random_bytes(sealed, GB_NOTE_NONCE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + GB_NOTE_NONCE, &n, plain.data, plain.size, purpose,
                                                   sizeof purpose, NULL, sealed, key);
        sodium_bin2base64(label, GB_NOTE_LABEL_MAX + 1, sealed, GB_NOTE_NONCE + (size_t)n, GB_NOTE_VARIANT);
        gb_free_secret(key);
    }
    gb_buffer_release(&plain);
    return s;
}

gb_status gb_note_open(gb_note *out, gb_client *c, const char *label) {
    uint8_t sealed[GB_NOTE_NONCE + GB_NOTE_PLAIN_MAX + GB_NOTE_TAG], plain[GB_NOTE_PLAIN_MAX], *key;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    if (sodium_base642bin(sealed, sizeof sealed, label, strlen(label), NULL, &n, NULL, GB_NOTE_VARIANT) != 0 ||
        n < GB_NOTE_NONCE + GB_NOTE_TAG + GB_NOTE_FIXED)
        return GB_ERR_FORMAT;
    GB_TRY(note_key(&key, c));
    unsigned long long got = 0;
    const int bad = crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &got, NULL, sealed + GB_NOTE_NONCE,
                                                               n - GB_NOTE_NONCE, purpose, sizeof purpose, sealed, key);
    gb_free_secret(key);
    if (bad) return GB_ERR_KEY;
    gb_reader r = gb_reader_init(plain, (size_t)got);
    const unsigned version = gb_read_u8(&r), kind = gb_read_u8(&r);
    out->sample = kind >> 4;
    out->kind = (kind & 15) == GB_NOTE_VOLUME ? GB_NOTE_VOLUME : GB_NOTE_STACK;
    out->nx = gb_read_u32(&r);
    out->ny = gb_read_u32(&r);
    out->nz = gb_read_u32(&r);
    out->copies = gb_read_u32(&r);
    for (unsigned i = 0; i < 3; i++) out->pixel[i] = read_f32(&r);
    const size_t name = gb_min_size(gb_reader_left(&r), GB_NOTE_NAME_MAX);
    const uint8_t *text = gb_read_bytes(&r, name);
    for (size_t i = 0; text && i < name; i++) out->name[i] = (char)(text[i] < 32 ? ' ' : text[i]);
    return version == GB_NOTE_VERSION && !r.failed ? GB_OK : GB_ERR_FORMAT;
}
