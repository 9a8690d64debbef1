/* cli: context, client, errors, progress, prompts. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number) { interrupted = number; }

void cli_interrupts(void) {
    /* No SA_RESTART: a read from the terminal must end at Ctrl-C. */
    struct sigaction a = {.sa_handler = on_signal};
    sigemptyset(&a.sa_mask);
    (void)sigaction(SIGINT, &a, NULL);
    (void)sigaction(SIGTERM, &a, NULL);
    a.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &a, NULL);
}

bool cli_interrupted(void) { return interrupted != 0; }

/* ---- progress ---- */

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void end_line(cli *c) {
    if (c->line_open) fputc('\n', stderr);
    c->line_open = false;
}

static void draw(cli *c, int percent) {
    enum { WIDTH = 40 };
    char bar[WIDTH + 1];
    const int full = percent * WIDTH / 100;
    for (int i = 0; i < WIDTH; i++) bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[WIDTH] = 0;
    fprintf(stderr, "\r%-24.24s [%s] %3d%%", c->stage, bar, percent);
    fflush(stderr);
    c->line_open = true;
}

/* Stages named after what the engine does, in the words of who waits for it. */
static const char *in_words(const char *stage) {
    if (strcmp(stage, "plain") == 0) return "plaintext path";
    if (strcmp(stage, "compute") == 0) return "compute on ciphertexts";
    return stage;
}

static int on_progress(void *user, const char *stage, uint64_t done, uint64_t total) {
    cli *c = user;
    if (interrupted) return 1;
    if (total == 0 || !stage) return 0; /* only asking whether to go on */
    stage = in_words(stage);
    const bool fresh = strcmp(stage, c->stage) != 0;
    const int percent = done >= total ? 100 : (int)((double)done * 100.0 / (double)total);
    if (fresh) {
        if (c->bar) end_line(c);
        (void)snprintf(c->stage, sizeof c->stage, "%s", stage);
        c->last_percent = -1;
        if (!c->bar && c->progress && strcmp(c->progress, "never") != 0) fprintf(stderr, "%s ...\n", stage);
    }
    if (!c->bar) return 0;
    const double t = now();
    if (fresh || (percent != c->last_percent && (percent == 100 || t - c->last_draw > 0.1))) {
        draw(c, percent);
        c->last_percent = percent;
        c->last_draw = t;
    }
    return 0;
}

static void on_log(void *user, gb_log_level level, const char *line) {
    cli *c = user;
    if (level > GB_LOG_WARN) return;
    end_line(c);
    fprintf(stderr, "glovebox: %s%s\n", level == GB_LOG_WARN ? "warning: " : "", line);
}

/* ---- errors and exit codes ---- */

static int code_of(gb_status s) {
    switch (s) {
    case GB_OK:
        return CLI_OK;
    case GB_ERR_ARGUMENT:
        return CLI_USAGE;
    case GB_ERR_RANGE:
    case GB_ERR_PARAMS:
    case GB_ERR_FORMAT:
    case GB_ERR_VERSION:
    case GB_ERR_TRUNCATED:
    case GB_ERR_HASH:
    case GB_ERR_LIMIT:
    case GB_ERR_UNSUPPORTED:
    case GB_ERR_NOT_FOUND:
        return CLI_INPUT;
    case GB_ERR_KEY:
    case GB_ERR_EXISTS:
        return CLI_KEY;
    case GB_ERR_NETWORK:
    case GB_ERR_DENIED:
    case GB_ERR_STATE:
        return CLI_SERVER;
    case GB_ERR_SPACE:
    case GB_ERR_MEMORY:
        return CLI_SPACE;
    case GB_ERR_IO:
        return CLI_IO;
    default:
        return CLI_FAILURE;
    }
}

int cli_fail(cli *c, gb_status s, const char *message) {
    end_line(c);
    if (s == GB_ERR_CANCELLED && interrupted) message = "interrupted; nothing half-written was left";
    fprintf(stderr, "glovebox: %s\n", message && *message ? message : gb_status_text(s));
    if (c->json) {
        char code[64];
        (void)snprintf(code, sizeof code, "%s", gb_status_name(s));
        json_t *e = json_pack("{s:{s:s,s:s}}", "error", "code", code, "message", message && *message ? message : "");
        if (e) {
            (void)json_dumpf(e, stdout, JSON_COMPACT);
            putchar('\n');
            json_decref(e);
        }
    }
    return s == GB_ERR_CANCELLED && interrupted ? CLI_INTERRUPTED : code_of(s);
}

int cli_finish(cli *c, gb_status s) {
    end_line(c);
    if (s != GB_OK) return cli_fail(c, s, gb_ctx_error(c->ctx));
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "glovebox: standard output: %s\n", strerror(errno));
        return CLI_IO;
    }
    return CLI_OK;
}

void cli_json(const char *name, ...) {
    json_t *o = json_object();
    va_list args;
    va_start(args, name);
    while (o && name) {
        const int kind = va_arg(args, int);
        json_t *v = NULL;
        if (kind == 's') v = json_string(va_arg(args, const char *));
        if (kind == 'u') v = json_integer((json_int_t)va_arg(args, uint64_t));
        if (kind == 'f') v = json_real(va_arg(args, double));
        if (kind == 'b') v = json_boolean(va_arg(args, int));
        (void)json_object_set_new(o, name, v ? v : json_null());
        name = va_arg(args, const char *);
    }
    va_end(args);
    if (!o) return;
    (void)json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(o);
}

void cli_bytes(char out[32], uint64_t n) {
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)n;
    unsigned u = 0;
    while (v >= 1024 && u < 6) {
        v /= 1024;
        u++;
    }
    (void)snprintf(out, 32, u ? "%.1f %s" : "%.0f %s", v, unit[u]);
}

/* ---- prompts ---- */

bool cli_confirm(const char *question) {
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return false;
    fprintf(stderr, "%s [y/N] ", question);
    char line[16] = "";
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

/* One line from fd, without its end; false at an error, an empty line or one that is too long. */
static bool read_line(int fd, char *out, size_t capacity) {
    size_t n = 0;
    for (;;) {
        char ch;
        const ssize_t got = read(fd, &ch, 1);
        if (got < 0 || interrupted) return false;
        if (got == 0 || ch == '\n') break;
        if (n + 1 >= capacity) return false;
        out[n++] = ch;
    }
    if (n && out[n - 1] == '\r') n--;
    out[n] = 0;
    return n > 0;
}

static bool ask_terminal(int tty, const char *prompt, const char *key, char *out, size_t capacity) {
    struct termios old, quiet;
    if (tcgetattr(tty, &old) != 0) return false;
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0) return false;
    dprintf(tty, "%s '%s': ", prompt, key);
    const bool ok = read_line(tty, out, capacity);
    (void)tcsetattr(tty, TCSAFLUSH, &old);
    dprintf(tty, "\n");
    return ok;
}

static int on_passphrase(void *user, char *out, size_t capacity, const char *key, int confirm) {
    cli *c = user;
    end_line(c);
    if (c->passphrase_file) {
        const int fd = open(c->passphrase_file, O_RDONLY | O_CLOEXEC);
        if (fd < 0) return 1;
        const bool ok = read_line(fd, out, capacity);
        close(fd);
        return ok ? 0 : 1;
    }
    const char *given = getenv("GLOVEBOX_PASSPHRASE");
    if (given) {
        const size_t n = strlen(given);
        if (n == 0 || n >= capacity) return 1;
        memcpy(out, given, n + 1);
        return 0;
    }
    const int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0) return 1;
    bool ok = ask_terminal(tty, confirm ? "Passphrase for the new key" : "Passphrase for key", key, out, capacity);
    if (ok && confirm) {
        char *again = calloc(1, capacity);
        ok = again && ask_terminal(tty, "Once more, for key", key, again, capacity) && strcmp(out, again) == 0;
        if (again) explicit_bzero(again, capacity);
        free(again);
    }
    close(tty);
    return ok ? 0 : 1;
}

/* ---- opening ---- */

/* First line of a small file, NULL when there is none (said in the error). */
static char *first_line(cli *c, const char *folder, const char *name) {
    char path[4096], line[4096];
    (void)snprintf(path, sizeof path, "%s%s%s", folder ? folder : "", folder ? "/" : "", name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && read_line(fd, line, sizeof line);
    const int why = fd < 0 ? errno : 0;
    if (fd >= 0) close(fd);
    if (!ok) {
        char text[4400];
        (void)snprintf(text, sizeof text, "%s: %s", path, why ? strerror(why) : "holds no line of text");
        (void)cli_fail(c, GB_ERR_IO, text);
        return NULL;
    }
    return strdup(line);
}

static int read_connection(cli *c) {
    if (!c->data) c->data = getenv("GLOVEBOX_DATA");
    if (c->data && !*c->data) c->data = NULL;
    if (c->data && !c->server) {
        c->server_text = first_line(c, c->data, "address");
        if (!c->server_text) return CLI_SERVER;
    }
    if (c->token_file || (c->data && !getenv("GLOVEBOX_TOKEN"))) {
        c->token_text = c->token_file ? first_line(c, NULL, c->token_file) : first_line(c, c->data, "token");
        if (!c->token_text) return CLI_SERVER;
    }
    return -1;
}

int cli_open(cli *c, bool server) {
    c->bar = c->progress && strcmp(c->progress, "always") == 0;
    if (!c->progress || strcmp(c->progress, "auto") == 0) {
        c->bar = isatty(STDERR_FILENO);
        c->progress = "auto";
    }
    const int code = server ? read_connection(c) : -1;
    if (code >= 0) return code;
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    if (c->threads) config.threads = c->threads;
    if (c->memory) config.memory = (uint64_t)c->memory << 20;
    config.log = on_log;
    config.log_user = c;
    config.progress = on_progress;
    config.progress_user = c;
    gb_status s = gb_ctx_new(&c->ctx, &config);
    if (s != GB_OK)
        return cli_fail(c, s, s == GB_ERR_ARGUMENT ? "--threads wants 1 to 256, --memory at least 64" : NULL);
    gb_client_config client;
    gb_client_config_defaults(&client);
    client.keys = c->keys;
    client.server = c->server_text ? c->server_text : c->server;
    client.token = c->token_text;
    client.workspace = c->workspace;
    client.retry = c->retry;
    client.passphrase = on_passphrase;
    client.passphrase_user = c;
    s = gb_client_new(&c->client, c->ctx, &client);
    return s == GB_OK ? -1 : cli_finish(c, s);
}

void cli_close(cli *c) {
    gb_client_free(c->client);
    gb_ctx_free(c->ctx);
    free(c->server_text);
    if (c->token_text) explicit_bzero(c->token_text, strlen(c->token_text));
    free(c->token_text);
}
