/* gloveboxd: the service. Reads its options, opens the data folder, serves until it is told to stop. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "service/api/api.h"

#define DEFAULT_PORT 8433
#define STOP_SECONDS 10.0 /* running requests get this long to end */
#define HTTP_THREADS 16
#define HTTP_CONNECTIONS 512

typedef struct options {
    const char *data, *log, *worker;
    char host[64];
    uint16_t port;
    unsigned workers, threads;
    uint64_t memory;
} options;

typedef struct service {
    gb_api api; /* first: the handlers' app is this */
    gb_ctx *ctx;
    gb_runner *runner;
    gb_http *http;
    int lock;
    char token[GB_HTTP_TOKEN_HEX + 1];
} service;

static const char help[] =
    "usage: gloveboxd --data DIR [options]\n"
    "\n"
    "Stores encrypted datasets and computes on them. Holds no secret key.\n"
    "\n"
    "  --data DIR          data folder, made when it is not there (mode 0700); DIR/token holds the bearer token,\n"
    "                      DIR/address the address once the service listens\n"
    "  --listen HOST:PORT  numeric address; port 0 takes any free one (default 127.0.0.1:8433)\n"
    "  --workers N         jobs at once, 1..64 (default 1)\n"
    "  --threads N         threads of each worker, 1..256 (default: CPUs / workers)\n"
    "  --memory MiB        memory a worker may stream through, 64.. (default 1024)\n"
    "  --worker FILE       worker program (default: glovebox-worker beside this program)\n"
    "  --log FILE|-        where log lines go, JSON, one a line (default -: standard error)\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM and SIGINT stop it gracefully: requests end, running jobs go back to the queue.\n"
    "Exit codes: 0 stopped, 1 failure, 2 usage.\n"
    "\n"
    "examples:\n"
    "  gloveboxd --data /var/lib/glovebox\n"
    "  gloveboxd --data ./data --listen 127.0.0.1:0 --workers 2 --memory 2048 --log service.log\n";

/* ---- log: one JSON object a line. Never a token, a name or a body ---- */

static FILE *log_file;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void log_line(const char *level, const char *rest) {
    struct timespec now;
    struct tm day;
    char ts[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &day);
    size_t n = strftime(ts, sizeof ts, "%Y-%m-%dT%H:%M:%S", &day);
    snprintf(ts + n, sizeof ts - n, ".%03ldZ", now.tv_nsec / 1000000);
    pthread_mutex_lock(&log_lock);
    fprintf(log_file, "{\"ts\":\"%s\",\"level\":\"%s\",%s}\n", ts, level, rest);
    fflush(log_file);
    pthread_mutex_unlock(&log_lock);
}

static void log_message(void *user, gb_log_level level, const char *line) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char escaped[1024], rest[1100];
    if (level > GB_LOG_INFO) return;
    gb_http_json_escape(escaped, sizeof escaped, line);
    snprintf(rest, sizeof rest, "\"msg\":\"%s\"", escaped);
    log_line(names[level], rest);
}

static void log_request(void *app, const char *method, const char *route, int status, double ms) {
    char rest[256];
    snprintf(rest, sizeof rest, "\"msg\":\"request\",\"route\":\"%s %s\",\"status\":%d,\"ms\":%.1f", method, route,
             status, ms);
    log_line(status >= 500 ? "error" : "info", rest);
}

/* ---- options ---- */

static bool parse_listen(options *o, const char *text) {
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL || !gb_http_parse_number(&port, colon + 1, 65535)) return false;
    size_t n = (size_t)(colon - text);
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') { /* [::1]:8433 */
        text++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof o->host) return false;
    memcpy(o->host, text, n);
    o->host[n] = '\0';
    o->port = (uint16_t)port;
    return true;
}

static bool parse_count(uint64_t *out, const char *text, uint64_t min, uint64_t max) {
    return gb_http_parse_number(out, text, max) && *out >= min;
}

static int usage(const char *what) {
    fprintf(stderr, "gloveboxd: %s; see gloveboxd --help\n", what);
    return 2;
}

static const struct option long_options[] = {
    {"data", required_argument, NULL, 'd'},    {"listen", required_argument, NULL, 'l'},
    {"workers", required_argument, NULL, 'w'}, {"threads", required_argument, NULL, 't'},
    {"memory", required_argument, NULL, 'm'},  {"worker", required_argument, NULL, 'p'},
    {"log", required_argument, NULL, 'o'},     {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},       {NULL, 0, NULL, 0},
};

/* Returns -1 to go on, else the exit code. */
static int parse_options(options *o, int argc, char **argv) {
    uint64_t workers = 1, threads = 0, mib = 1024;
    int c;
    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (c == 'd') o->data = optarg;
        if (c == 'o') o->log = optarg;
        if (c == 'p') o->worker = optarg;
        if (c == 'l' && !parse_listen(o, optarg)) return usage("--listen: give ADDRESS:PORT, for example 127.0.0.1:0");
        if (c == 'w' && !parse_count(&workers, optarg, 1, 64)) return usage("--workers: give 1 to 64");
        if (c == 't' && !parse_count(&threads, optarg, 1, 256)) return usage("--threads: give 1 to 256");
        if (c == 'm' && !parse_count(&mib, optarg, 64, 1 << 24)) return usage("--memory: give MiB, 64 or more");
        if (c == 'h') return fputs(help, stdout) < 0;
        if (c == 'v') return printf("gloveboxd %s\n", gb_version()) < 0;
        if (c == '?') return 2; /* getopt has said why */
    }
    if (optind < argc) return usage("unexpected argument");
    if (o->data == NULL) return usage("--data DIR is needed");
    gb_ctx_config defaults;
    gb_ctx_config_defaults(&defaults);
    o->workers = (unsigned)workers;
    o->threads = threads > 0 ? (unsigned)threads : (unsigned)gb_max_size(defaults.threads / (size_t)workers, 1);
    o->memory = mib << 20;
    return -1;
}

/* ---- the data folder ---- */

/* One service a folder: a second would hand out the same jobs. The lock goes with the process, however it ends. */
static gb_status lock_folder(int *fd, gb_ctx *ctx, const char *dir) {
    char *path = gb_format(ctx, "%s/lock", dir);
    if (path == NULL) return GB_ERR_MEMORY;
    gb_status status = GB_OK;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        status = gb_fail_errno(ctx, "cannot open", path);
    else if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        status = gb_fail(ctx, GB_ERR_STATE, "%s is in use by another gloveboxd; stop that one first", dir);
    gb_free(path);
    return status;
}

static gb_status make_token(char token[GB_HTTP_TOKEN_HEX + 1], gb_ctx *ctx, const char *path) {
    uint8_t raw[GB_HTTP_TOKEN_HEX / 2];
    gb_random_bytes(raw, sizeof raw);
    gb_hex(token, raw, sizeof raw);
    gb_wipe(raw, sizeof raw);
    char line[GB_HTTP_TOKEN_HEX + 1];
    memcpy(line, token, GB_HTTP_TOKEN_HEX);
    line[GB_HTTP_TOKEN_HEX] = '\n';
    return gb_file_write(ctx, path, line, sizeof line, 0600);
}

static gb_status read_token(char token[GB_HTTP_TOKEN_HEX + 1], gb_ctx *ctx, const char *dir) {
    char *path = gb_format(ctx, "%s/token", dir);
    uint8_t *data = NULL;
    size_t n = 0;
    if (path == NULL) return GB_ERR_MEMORY;
    gb_status status = gb_file_read(&data, &n, ctx, path, 256);
    if (status == GB_ERR_NOT_FOUND) {
        status = make_token(token, ctx, path);
    } else if (status == GB_OK) {
        while (n > 0 && (data[n - 1] == '\n' || data[n - 1] == '\r')) n--;
        memcpy(token, data, gb_min_size(n, GB_HTTP_TOKEN_HEX));
        token[GB_HTTP_TOKEN_HEX] = '\0';
        if (n != GB_HTTP_TOKEN_HEX || strspn(token, "0123456789abcdef") != GB_HTTP_TOKEN_HEX)
            status = gb_fail(ctx, GB_ERR_FORMAT, "%s: %d lower-case hex digits are needed; remove it to get a new one",
                             path, GB_HTTP_TOKEN_HEX);
        gb_wipe(data, n);
    }
    gb_free(data);
    gb_free(path);
    return status;
}

static gb_status write_address(gb_ctx *ctx, const options *o, uint16_t port) {
    char *path = gb_format(ctx, "%s/address", o->data);
    bool v6 = strchr(o->host, ':') != NULL;
    char *line = gb_format(ctx, "%s%s%s:%u\n", v6 ? "[" : "", o->host, v6 ? "]" : "", port);
    gb_status status =
        path != NULL && line != NULL ? gb_file_write(ctx, path, line, strlen(line), 0644) : GB_ERR_MEMORY;
    gb_free(path);
    gb_free(line);
    return status;
}

static void drop_object(void *user, const gb_hash *object) {
    gb_store *store = user;
    store->ops->remove(store, object);
}

/* Removes stored bytes that no row names: what a crash left between the two. */
static gb_status drop_orphan(void *user, const gb_hash *object) {
    service *s = user;
    bool known = true;
    GB_TRY(gb_meta_object_known(&known, s->api.meta, s->ctx, object));
    if (!known) s->api.store->ops->remove(s->api.store, object);
    return GB_OK;
}

/* A kill leaves the old address behind: nobody may take it for the new one. */
static void forget_address(const options *o) {
    char *path = gb_format(NULL, "%s/address", o->data);
    if (path != NULL) (void)unlink(path);
    gb_free(path);
}

static gb_status open_data(service *s, const options *o) {
    GB_TRY(gb_dir_make(s->ctx, o->data, 0700));
    GB_TRY(lock_folder(&s->lock, s->ctx, o->data));
    forget_address(o);
    GB_TRY(read_token(s->token, s->ctx, o->data));
    GB_TRY(gb_store_directory(&s->api.store, s->ctx, o->data));
    char *path = gb_format(s->ctx, "%s/meta.sqlite", o->data);
    if (path == NULL) return GB_ERR_MEMORY;
    gb_status status = gb_meta_open(&s->api.meta, s->ctx, path, drop_object, s->api.store);
    gb_free(path);
    GB_TRY(status);
    return s->api.store->ops->list(s->ctx, s->api.store, drop_orphan, s);
}

/* ---- life ---- */

static gb_status find_worker(char path[PATH_MAX], gb_ctx *ctx, const options *o) {
    static const char name[] = "glovebox-worker";
    if (o->worker != NULL) {
        if (strlen(o->worker) >= PATH_MAX) return gb_fail(ctx, GB_ERR_ARGUMENT, "--worker: the path is too long");
        memcpy(path, o->worker, strlen(o->worker) + 1);
        return GB_OK;
    }
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof name - 1);
    if (n <= 0) return gb_fail(ctx, GB_ERR_IO, "cannot tell where this program is; give --worker FILE");
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    memcpy(slash != NULL ? slash + 1 : path, name, sizeof name);
    return GB_OK;
}

static gb_status start(service *s, const options *o) {
    char worker[PATH_MAX];
    GB_TRY(find_worker(worker, s->ctx, o));
    GB_TRY(gb_runner_local(&s->runner, s->ctx, worker));
    GB_TRY(open_data(s, o));
    gb_jobs_config jobs = {
        .meta = s->api.meta,
        .store = s->api.store,
        .runner = s->runner,
        .dir = o->data,
        .workers = o->workers,
        .threads = o->threads,
        .memory = o->memory,
        .ctx = s->ctx,
    };
    GB_TRY(gb_jobs_start(&s->api.jobs, s->ctx, &jobs));
    gb_http_config http = {
        .host = o->host,
        .port = o->port,
        .threads = HTTP_THREADS,
        .connections = HTTP_CONNECTIONS,
        .token = s->token,
        .routes = gb_api_routes,
        .route_count = gb_api_route_count,
        .app = &s->api,
        .log = log_request,
    };
    GB_TRY(gb_http_start(&s->http, s->ctx, &http));
    return write_address(s->ctx, o, gb_http_port(s->http));
}

static void stop(service *s, const options *o) {
    if (s->http != NULL) forget_address(o);
    if (s->api.jobs != NULL) gb_jobs_quiesce(s->api.jobs); /* streams of events end, so that requests can */
    gb_http_stop(s->http, STOP_SECONDS);
    gb_jobs_free(s->api.jobs);
    if (s->runner != NULL) s->runner->free(s->runner);
    gb_meta_close(s->api.meta);
    gb_store_free(s->api.store);
    gb_api_release(&s->api);
    gb_wipe(s->token, sizeof s->token);
    if (s->lock >= 0) close(s->lock);
    gb_ctx_free(s->ctx);
}

static int serve(const options *o, const sigset_t *signals) {
    service s = {.lock = -1};
    gb_api_init(&s.api);
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = o->threads;
    config.memory = o->memory;
    config.log = log_message;
    gb_status status = gb_ctx_new(&s.ctx, &config);
    if (status == GB_OK) status = start(&s, o);
    if (status == GB_OK) {
        int number;
        gb_log(s.ctx, GB_LOG_INFO, "version %s listens on %s port %u", gb_version(), o->host, gb_http_port(s.http));
        sigwait(signals, &number);
        gb_log(s.ctx, GB_LOG_INFO, "signal %d: stopping", number);
    } else {
        const char *why = s.ctx != NULL ? gb_ctx_error(s.ctx) : gb_status_text(status);
        fprintf(stderr, "gloveboxd: %s\n", why);
    }
    stop(&s, o);
    return status == GB_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    options o = {.host = "127.0.0.1", .port = DEFAULT_PORT, .log = "-"};
    int code = parse_options(&o, argc, argv);
    if (code >= 0) return code;
    /* Every thread inherits the mask, so the two signals are only ever taken by sigwait. A broken pipe or a file over
     * the limit is an error of the call that met it. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    umask(077);
    log_file = stderr;
    if (strcmp(o.log, "-") != 0) {
        log_file = fopen(o.log, "ae");
        if (log_file == NULL) {
            fprintf(stderr, "gloveboxd: --log %s: %s\n", o.log, strerror(errno));
            return 1;
        }
    }
    return serve(&o, &signals);
}
