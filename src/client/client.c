/* client: configuration and small helpers. See glovebox/client.h. */
#include "client/internal.h"

#include "client/http.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void gb_client_config_defaults(gb_client_config *config) {
    *config = (gb_client_config){.size = sizeof *config, .workspace = "default", .retry = 60, .connections = 4};
}

static const char *given(const char *value, const char *variable) {
    if (!value) value = getenv(variable);
    return value && *value ? value : NULL;
}

static gb_status set_folder(gb_client *c, const char *keys) {
    keys = given(keys, "GLOVEBOX_KEYS");
    if (keys) {
        c->keys = gb_strdup(c->ctx, keys);
    } else {
        const char *config = given(NULL, "XDG_CONFIG_HOME"), *home = given(NULL, "HOME");
        if (!config && !home)
            return gb_fail(c->ctx, GB_ERR_ARGUMENT, "no folder for keys: set GLOVEBOX_KEYS or give --key-store DIR");
        c->keys = config ? gb_format(c->ctx, "%s/glovebox/keys", config)
                         : gb_format(c->ctx, "%s/.config/glovebox/keys", home);
    }
    return c->keys ? GB_OK : gb_ctx_status(c->ctx);
}

static gb_status set_server(gb_client *c, const char *server, const char *token) {
    server = given(server, "GLOVEBOX_SERVER");
    token = given(token, "GLOVEBOX_TOKEN");
    if (server) {
        const bool scheme = strncmp(server, "http://", 7) == 0 || strncmp(server, "https://", 8) == 0;
        if (strpbrk(server, " \t\r\n?#") || (!scheme && strstr(server, "://")))
            return gb_fail(c->ctx, GB_ERR_ARGUMENT, "server '%s': want http://HOST:PORT or https://HOST:PORT", server);
        c->server = gb_format(c->ctx, "%s%s", scheme ? "" : "http://", server);
        if (!c->server) return gb_ctx_status(c->ctx);
        size_t n = strlen(c->server);
        while (n && c->server[n - 1] == '/') c->server[--n] = 0;
    }
    if (token) {
        /* The token becomes a header line: nothing but printable ASCII may enter it. */
        for (const char *p = token; *p; p++)
            if (*p <= 32 || *p > 126)
                return gb_fail(c->ctx, GB_ERR_ARGUMENT,
                               "the server's token holds a space or a control character; give "
                               "the text of the server's file 'token'");
        c->token = gb_strdup(c->ctx, token);
        if (!c->token) return gb_ctx_status(c->ctx);
    }
    return GB_OK;
}

gb_status gb_client_new(gb_client **out, gb_ctx *ctx, const gb_client_config *config) {
    *out = NULL;
    if (config->size != sizeof *config)
        return gb_fail(ctx, GB_ERR_ARGUMENT,
                       "gb_client_config: size %zu, want %zu; call gb_client_config_defaults first", config->size,
                       sizeof *config);
    if (!(config->retry >= 0 && config->retry <= 86400))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "retry: want 0 to 86400 seconds");
    if (config->connections < 1 || config->connections > 16)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "connections: want 1 to 16");
    gb_client *c;
    GB_TRY(gb_alloc_zero(&c, ctx, 1, sizeof *c));
    c->ctx = ctx;
    c->retry = config->retry;
    c->connections = config->connections;
    c->passphrase = config->passphrase;
    c->passphrase_user = config->passphrase_user;
    const char *workspace = config->workspace && *config->workspace ? config->workspace : "default";
    gb_status s = set_folder(c, config->keys);
    if (s == GB_OK) s = set_server(c, config->server, config->token);
    if (s == GB_OK && strlen(workspace) > 200)
        s = gb_fail(ctx, GB_ERR_ARGUMENT, "workspace: a name of at most 200 bytes");
    if (s == GB_OK) {
        c->workspace = gb_strdup(ctx, workspace);
        if (!c->workspace) s = gb_ctx_status(ctx);
    }
    if (s == GB_OK)
        *out = c;
    else
        gb_client_free(c);
    return s;
}

void gb_client_free(gb_client *c) {
    if (!c) return;
    gb_http_free(c->http);
    gb_secret_free(c->secret);
    gb_keyset_free(c->keyset);
    if (c->token) gb_wipe(c->token, strlen(c->token));
    gb_free(c->token);
    gb_free(c->keys);
    gb_free(c->server);
    gb_free(c->workspace);
    gb_free(c);
}

const char *gb_client_keys(const gb_client *c) { return c->keys; }
const char *gb_client_server(const gb_client *c) { return c->server; }

void gb_copy_text(char *out, size_t capacity, const char *text) {
    size_t n = text ? strlen(text) : 0;
    if (n >= capacity) n = capacity - 1;
    if (n) memcpy(out, text, n);
    out[n] = 0;
}

void gb_time_text(char out[24], double seconds) {
    out[0] = 0;
    if (!(seconds > 0 && seconds < 253402300800.0)) return; /* year 10000: the text would not fit */
    const time_t t = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&t, &tm)) (void)strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

char *gb_folder_beside(gb_ctx *ctx, const char *path) {
    char *dir = gb_format(ctx, "%s.tiles-XXXXXX", path);
    if (dir && !mkdtemp(dir)) {
        (void)gb_fail_errno(ctx, "making a temporary folder", dir);
        gb_free(dir);
        dir = NULL;
    }
    return dir;
}

static void remove_level(const char *dir, unsigned levels) {
    DIR *d = opendir(dir);
    if (!d) return;
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *path = gb_format(NULL, "%s/%s", dir, e->d_name);
        if (!path) continue;
        if (unlink(path) != 0 && (errno == EISDIR || errno == EPERM) && levels > 0) remove_level(path, levels - 1);
        gb_free(path);
    }
    closedir(d);
    (void)rmdir(dir);
}

void gb_folder_remove(const char *dir) {
    if (dir) remove_level(dir, 1);
}
