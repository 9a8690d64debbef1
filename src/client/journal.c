/* client/journal: see journal.h. The file: nonce in hex, a line feed, the job's id (or nothing), a line feed. */
#include "client/journal.h"

#include <unistd.h>

static gb_status path_of(char **out, gb_client *c, const gb_hash *content) {
    gb_buffer b = GB_BUFFER_INIT;
    gb_hash id;
    char hex[2 * GB_HASH_BYTES + 1];
    gb_write_bytes(&b, c->workspace, strlen(c->workspace) + 1);
    gb_write_bytes(&b, gb_secret_key_id(c->secret)->b, GB_HASH_BYTES);
    gb_write_bytes(&b, content->b, GB_HASH_BYTES);
    if (b.status != GB_OK) return gb_fail(c->ctx, GB_ERR_MEMORY, "out of memory");
    gb_hash_of(&id, b.data, b.size, NULL, 0);
    gb_buffer_release(&b);
    gb_hex(hex, id.b, GB_HASH_BYTES);
    *out = gb_format(c->ctx, "%s/state/%s", c->keys, hex);
    return *out ? GB_OK : gb_ctx_status(c->ctx);
}

static bool load(gb_journal *j, gb_client *c) {
    uint8_t *data;
    size_t n;
    if (gb_file_read(&data, &n, c->ctx, j->path, 4096) != GB_OK) {
        gb_ctx_reset(c->ctx);
        return false;
    }
    char text[160] = "", nonce[65];
    memcpy(text, data, gb_min_size(n, sizeof text - 1));
    gb_free(data);
    const size_t digits = strspn(text, "0123456789abcdef");
    if (digits != 64 || text[64] != '\n') return false;
    gb_copy_text(nonce, sizeof nonce, text);
    const size_t job = strspn(text + 65, "0123456789abcdef");
    if (job > 64 || text[65 + job] != '\n') return false;
    gb_copy_text(j->job, job + 1, text + 65);
    return gb_unhex(j->nonce.b, GB_HASH_BYTES, nonce);
}

gb_status gb_journal_save(gb_journal *j, gb_client *c) {
    if (!j->path) return GB_OK;
    char text[160], hex[65];
    gb_hex(hex, j->nonce.b, GB_HASH_BYTES);
    const int n = snprintf(text, sizeof text, "%s\n%s\n", hex, j->job);
    return gb_file_write(c->ctx, j->path, text, (size_t)n, 0600);
}

gb_status gb_journal_open(gb_journal *j, gb_client *c, const gb_hash *content) {
    memset(j, 0, sizeof *j);
    gb_status s = GB_OK;
    if (c->server) {
        char *folder = gb_format(c->ctx, "%s/state", c->keys);
        s = folder ? gb_dir_make(c->ctx, folder, 0700) : gb_ctx_status(c->ctx);
        gb_free(folder);
        if (s == GB_OK) s = path_of(&j->path, c, content);
        if (s == GB_OK) j->resumed = load(j, c);
    }
    if (s == GB_OK && !j->resumed) {
        j->job[0] = 0;
        gb_random_bytes(j->nonce.b, GB_HASH_BYTES);
        s = gb_journal_save(j, c);
    }
    if (s != GB_OK) gb_journal_release(j);
    return s;
}

void gb_journal_remove(gb_journal *j) {
    if (j->path) (void)unlink(j->path);
    gb_journal_release(j);
}

void gb_journal_release(gb_journal *j) {
    gb_free(j->path);
    j->path = NULL;
}
