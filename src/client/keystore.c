/* client/keystore: a folder of keys. NAME.key is the secret (see keyfile.h), NAME.keyset the public part. */
#include "client/internal.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool name_ok(const char *name) {
    const size_t n = strlen(name);
    if (n == 0 || n > GB_KEY_NAME_MAX || name[0] == '.' || name[0] == '-') return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static gb_status check_name(gb_ctx *ctx, const char *name) {
    if (name_ok(name)) return GB_OK;
    return gb_fail(ctx, GB_ERR_ARGUMENT,
                   "key name '%.60s': want 1 to %d of a-z A-Z 0-9 . _ -, not beginning with . or -", name,
                   GB_KEY_NAME_MAX);
}

static char *file_of(gb_client *c, const char *name, const char *ending) {
    return gb_format(c->ctx, "%s/%s.%s", c->keys, name, ending);
}

static gb_status read_file(uint8_t **data, size_t *n, gb_client *c, const char *name, const char *ending, size_t max) {
    char *path = file_of(c, name, ending);
    if (!path) return gb_ctx_status(c->ctx);
    gb_status s = gb_file_read(data, n, c->ctx, path, max);
    gb_free(path);
    if (s == GB_ERR_NOT_FOUND)
        s = gb_fail(c->ctx, GB_ERR_KEY, "no key '%s' in %s; see glovebox key list, or make one: glovebox key new %s",
                    name, c->keys, name);
    return s;
}

static gb_status read_keyfile(gb_keyfile *f, gb_client *c, const char *name) {
    GB_TRY(check_name(c->ctx, name));
    uint8_t *data;
    size_t n;
    GB_TRY(read_file(&data, &n, c, name, "key", 65536));
    char *path = file_of(c, name, "key");
    const gb_status s = path ? gb_keyfile_decode(f, c->ctx, path, data, n) : gb_ctx_status(c->ctx);
    gb_free(path);
    gb_free(data);
    return s;
}

/* Writes a file that must not be there yet, whole or not at all: a link fails where a rename would overwrite. */
static gb_status write_new(gb_client *c, const char *path, const void *data, size_t n, int mode) {
    char *tmp = gb_format(c->ctx, "%s.new-%ld", path, (long)getpid());
    if (!tmp) return gb_ctx_status(c->ctx);
    gb_status s = gb_file_write(c->ctx, tmp, data, n, mode);
    if (s == GB_OK && link(tmp, path) != 0)
        s = errno == EEXIST ? gb_fail(c->ctx, GB_ERR_EXISTS,
                                      "%s is there already; keys are never overwritten: choose "
                                      "another name, or remove that key first",
                                      path)
                            : gb_fail_errno(c->ctx, "making", path);
    (void)unlink(tmp);
    gb_free(tmp);
    return s;
}

static gb_status ask(char **out, gb_client *c, const char *name, bool confirm) {
    GB_TRY(gb_alloc_secret(out, c->ctx, GB_PASSPHRASE_BYTES, 1));
    (*out)[0] = 0;
    if (c->passphrase && c->passphrase(c->passphrase_user, *out, GB_PASSPHRASE_BYTES, name, confirm) == 0) {
        (*out)[GB_PASSPHRASE_BYTES - 1] = 0;
        return GB_OK;
    }
    gb_free_secret(*out);
    *out = NULL;
    return gb_fail(c->ctx, GB_ERR_KEY,
                   confirm ? "no passphrase for the new key '%s': type the same one twice at a terminal, or give "
                             "--passphrase-file FILE or GLOVEBOX_PASSPHRASE"
                           : "no passphrase for key '%s': type it at a terminal, or give --passphrase-file FILE or "
                             "GLOVEBOX_PASSPHRASE",
                   name);
}

static void describe(gb_key_info *out, gb_client *c, const char *name, const gb_keyfile *f) {
    *out = (gb_key_info){.kdf_mib = (unsigned)(f->memory >> 20)};
    gb_copy_text(out->name, sizeof out->name, name);
    gb_hex(out->id, f->key.b, GB_HASH_BYTES);
    gb_time_text(out->created, (double)f->created);
    gb_params *p = NULL;
    if (gb_params_by_hash(&p, c->ctx, &f->params) == GB_OK) {
        const gb_params_spec *spec = gb_params_get(p);
        gb_copy_text(out->params, sizeof out->params, spec->name);
        out->log_n = spec->log_n;
        out->security = spec->security;
        out->log2_q = gb_ring_log2_q(gb_params_ring(p), spec->data_count);
    }
    gb_params_free(p);
    char *path = file_of(c, name, "keyset");
    struct stat st;
    if (path && stat(path, &st) == 0) out->keyset_bytes = (uint64_t)st.st_size;
    gb_free(path);
    gb_ctx_reset(c->ctx); /* unknown parameters are not an error here */
}

static void set_cost(gb_keyfile *f, gb_kdf_cost cost) {
    f->ops = cost == GB_KDF_INTERACTIVE ? crypto_pwhash_OPSLIMIT_INTERACTIVE
             : cost == GB_KDF_SENSITIVE ? crypto_pwhash_OPSLIMIT_SENSITIVE
                                        : crypto_pwhash_OPSLIMIT_MODERATE;
    f->memory = cost == GB_KDF_INTERACTIVE ? crypto_pwhash_MEMLIMIT_INTERACTIVE
                : cost == GB_KDF_SENSITIVE ? crypto_pwhash_MEMLIMIT_SENSITIVE
                                           : crypto_pwhash_MEMLIMIT_MODERATE;
}

/* Both files of a new key: the public part first, because a secret without it would be no key. */
static gb_status store(gb_client *c, const char *name, const gb_keyfile *f, const gb_keyset *keyset) {
    uint8_t bytes[GB_KEYFILE_BYTES];
    gb_buffer pub = GB_BUFFER_INIT;
    char *secret_path = file_of(c, name, "key"), *public_path = file_of(c, name, "keyset");
    gb_keyfile_encode(bytes, f);
    gb_status s = secret_path && public_path ? gb_keyset_encode(&pub, c->ctx, keyset) : gb_ctx_status(c->ctx);
    if (s == GB_OK) s = write_new(c, public_path, pub.data, pub.size, 0644);
    if (s == GB_OK) {
        s = write_new(c, secret_path, bytes, sizeof bytes, 0600);
        if (s != GB_OK) (void)unlink(public_path);
    }
    gb_buffer_release(&pub);
    gb_free(secret_path);
    gb_free(public_path);
    return s;
}

static gb_status refuse_existing(gb_client *c, const char *name) {
    gb_status s = GB_OK;
    char *path = file_of(c, name, "key");
    if (!path) return gb_ctx_status(c->ctx);
    if (access(path, F_OK) == 0)
        s = gb_fail(c->ctx, GB_ERR_EXISTS,
                    "key '%s' is there already; keys are never overwritten: choose another name, or "
                    "remove that key first",
                    name);
    gb_free(path);
    return s;
}

gb_status gb_client_key_new(gb_key_info *out, gb_client *c, const char *name, const char *params, gb_kdf_cost cost) {
    GB_TRY(check_name(c->ctx, name));
    GB_TRY(gb_dir_make(c->ctx, c->keys, 0700));
    GB_TRY(refuse_existing(c, name));
    gb_params *p;
    GB_TRY(gb_params_named(&p, c->ctx, params ? params : gb_precision_params(GB_PRECISION_DEFAULT)));
    gb_keyfile f = {.created = (uint64_t)time(NULL), .params = *gb_params_hash(p)};
    set_cost(&f, cost);
    gb_secret *secret = NULL;
    gb_keyset *keyset = NULL;
    char *pass = NULL;
    uint8_t *root = NULL;
    gb_status s = ask(&pass, c, name, true);
    if (s == GB_OK) s = gb_alloc_secret(&root, c->ctx, GB_KEYFILE_ROOT, 1);
    if (s == GB_OK) s = gb_secret_new(&secret, &keyset, c->ctx, p);
    if (s == GB_OK) {
        f.key = *gb_keyset_id(keyset);
        gb_secret_root(root, secret);
        s = gb_keyfile_seal(&f, c->ctx, root, pass);
    }
    if (s == GB_OK) s = store(c, name, &f, keyset);
    if (s == GB_OK && out) describe(out, c, name, &f);
    gb_free_secret(root);
    gb_free_secret(pass);
    gb_secret_free(secret);
    gb_keyset_free(keyset);
    gb_params_free(p);
    return s;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void free_names(char **names, size_t count) {
    for (size_t i = 0; i < count; i++) gb_free(names[i]);
    gb_free(names);
}

/* Names of all keys in the store, sorted. A store that is not there holds none. */
static gb_status names_of(char ***out, size_t *count, gb_client *c) {
    *out = NULL;
    *count = 0;
    DIR *d = opendir(c->keys);
    if (!d) return errno == ENOENT ? GB_OK : gb_fail_errno(c->ctx, "opening", c->keys);
    char **names = NULL;
    size_t n = 0, capacity = 0;
    gb_status s = GB_OK;
    struct dirent *e;
    while (s == GB_OK && (e = readdir(d)) != NULL) {
        const size_t len = strlen(e->d_name);
        if (len <= 4 || len - 4 > GB_KEY_NAME_MAX || strcmp(e->d_name + len - 4, ".key") != 0) continue;
        char name[GB_KEY_NAME_MAX + 1];
        gb_copy_text(name, len - 3, e->d_name);
        if (!name_ok(name)) continue;
        if (n == capacity) {
            char **more;
            s = gb_alloc(&more, c->ctx, capacity ? capacity * 2 : 16, sizeof *more);
            if (s != GB_OK) break;
            if (n) memcpy(more, names, n * sizeof *names);
            gb_free(names);
            names = more;
            capacity = capacity ? capacity * 2 : 16;
        }
        names[n] = gb_strdup(c->ctx, name);
        if (names[n])
            n++;
        else
            s = gb_ctx_status(c->ctx);
    }
    closedir(d);
    if (s != GB_OK) {
        free_names(names, n);
        return s;
    }
    if (n) qsort(names, n, sizeof *names, by_name);
    *out = names;
    *count = n;
    return GB_OK;
}

gb_status gb_client_key_list(gb_client *c, gb_key_fn each, void *user) {
    char **names;
    size_t count;
    GB_TRY(names_of(&names, &count, c));
    gb_status s = GB_OK;
    for (size_t i = 0; i < count && s == GB_OK; i++) {
        gb_keyfile f;
        gb_key_info info;
        s = read_keyfile(&f, c, names[i]);
        if (s != GB_OK) break;
        describe(&info, c, names[i], &f);
        if (each(user, &info) != 0) s = gb_fail(c->ctx, GB_ERR_CANCELLED, "cancelled");
    }
    free_names(names, count);
    return s;
}

gb_status gb_client_key_show(gb_key_info *out, gb_client *c, const char *name) {
    gb_keyfile f;
    GB_TRY(read_keyfile(&f, c, name));
    describe(out, c, name, &f);
    return GB_OK;
}

gb_status gb_client_key_remove(gb_client *c, const char *name) {
    GB_TRY(check_name(c->ctx, name));
    gb_status s = GB_OK;
    char *secret_path = file_of(c, name, "key"), *public_path = file_of(c, name, "keyset");
    if (!secret_path || !public_path) {
        s = gb_ctx_status(c->ctx);
    } else if (unlink(secret_path) != 0) {
        s = errno == ENOENT ? gb_fail(c->ctx, GB_ERR_KEY, "no key '%s' in %s; see glovebox key list", name, c->keys)
                            : gb_fail_errno(c->ctx, "removing", secret_path);
    } else if (unlink(public_path) != 0 && errno != ENOENT) {
        s = gb_fail_errno(c->ctx, "removing", public_path);
    }
    gb_free(secret_path);
    gb_free(public_path);
    return s;
}

/* The public part on disk must be the secret's own: a swapped file would make others encrypt to somebody else. */
static gb_status check_public(gb_client *c, const char *name, const gb_hash *id) {
    uint8_t *data;
    size_t n;
    char *path = file_of(c, name, "keyset");
    if (!path) return gb_ctx_status(c->ctx);
    gb_status s = gb_file_read(&data, &n, c->ctx, path, SIZE_MAX / 2);
    if (s == GB_OK) {
        gb_keyset *k = NULL;
        s = gb_keyset_decode(&k, c->ctx, data, n);
        if (s == GB_OK && !gb_hash_equal(gb_keyset_id(k), id))
            s = gb_fail(c->ctx, GB_ERR_KEY, "%s is not the public part of key '%s'; restore it from a backup", path,
                        name);
        gb_keyset_free(k);
        gb_free(data);
    }
    gb_free(path);
    return s;
}

gb_status gb_keystore_open(gb_client *c, const char *name) {
    if (c->secret && strcmp(c->key_name, name) == 0) return GB_OK;
    gb_keyfile f;
    GB_TRY(read_keyfile(&f, c, name));
    gb_params *p;
    GB_TRY(gb_params_by_hash(&p, c->ctx, &f.params));
    gb_secret *secret = NULL;
    gb_keyset *keyset = NULL;
    char *pass = NULL;
    uint8_t *root = NULL;
    gb_status s = ask(&pass, c, name, false);
    if (s == GB_OK) s = gb_alloc_secret(&root, c->ctx, GB_KEYFILE_ROOT, 1);
    if (s == GB_OK) s = gb_keyfile_open(root, c->ctx, &f, pass);
    if (s == GB_ERR_KEY && pass)
        s = gb_fail(c->ctx, GB_ERR_KEY, "key '%s': wrong passphrase (or its file was changed); try again", name);
    if (s == GB_OK) s = gb_secret_restore(&secret, &keyset, c->ctx, p, root);
    if (s == GB_OK && !gb_hash_equal(gb_keyset_id(keyset), &f.key))
        s = gb_fail(c->ctx, GB_ERR_KEY, "key '%s': its secret does not make its id; restore the file from a backup",
                    name);
    gb_free_secret(root);
    gb_free_secret(pass);
    gb_params_free(p);
    if (s != GB_OK) {
        gb_secret_free(secret);
        gb_keyset_free(keyset);
        return s;
    }
    gb_secret_free(c->secret);
    gb_keyset_free(c->keyset);
    c->secret = secret;
    c->keyset = keyset;
    gb_copy_text(c->key_name, sizeof c->key_name, name);
    return GB_OK;
}

gb_status gb_client_key_verify(gb_client *c, const char *name) {
    GB_TRY(gb_keystore_open(c, name));
    return check_public(c, name, gb_keyset_id(c->keyset));
}

const char *gb_client_params_of(const char *precision) {
    if (strcmp(precision, "default") == 0) return gb_precision_params(GB_PRECISION_DEFAULT);
    if (strcmp(precision, "high") == 0) return gb_precision_params(GB_PRECISION_HIGH);
    return NULL;
}

typedef struct search {
    const char *params, *id; /* one of them is NULL */
    unsigned found;
    char name[GB_KEY_NAME_MAX + 1];
} search;

static int match(void *user, const gb_key_info *info) {
    search *s = user;
    if (s->params ? strcmp(info->params, s->params) == 0 : strcmp(info->id, s->id) == 0) {
        s->found++;
        gb_copy_text(s->name, sizeof s->name, info->name);
    }
    return 0;
}

gb_status gb_keystore_find(char *name, gb_client *c, const char *id_hex) {
    search s = {.id = id_hex};
    GB_TRY(gb_client_key_list(c, match, &s));
    if (s.found == 0)
        return gb_fail(c->ctx, GB_ERR_KEY,
                       "no key in %s has the id %.16s...; give --key-store DIR of the key it was encrypted "
                       "under",
                       c->keys, id_hex);
    gb_copy_text(name, GB_KEY_NAME_MAX + 1, s.name);
    return GB_OK;
}

gb_status gb_keystore_open_for(gb_client *c, const char *name, const char *params) {
    search s = {.params = params};
    if (name) {
        gb_key_info info;
        GB_TRY(gb_client_key_show(&info, c, name));
        if (strcmp(info.params, params) != 0)
            return gb_fail(c->ctx, GB_ERR_PARAMS,
                           "key '%s' has the parameters %s, this work needs %s; make one: glovebox "
                           "key new NAME --params %s",
                           name, *info.params ? info.params : "unknown", params, params);
        return gb_keystore_open(c, name);
    }
    GB_TRY(gb_client_key_list(c, match, &s));
    if (s.found == 0)
        return gb_fail(c->ctx, GB_ERR_KEY,
                       "no key with the parameters %s in %s; make one: glovebox key new NAME --params %s", params,
                       c->keys, params);
    if (s.found > 1)
        return gb_fail(c->ctx, GB_ERR_KEY, "%u keys in %s fit; say which with --key NAME", s.found, c->keys);
    return gb_keystore_open(c, s.name);
}
