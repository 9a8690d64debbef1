#include "service/test/rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/test/temp.h"

bool rig_available(void) {
    const char *service = getenv("GLOVEBOXD"), *worker = getenv("GLOVEBOX_WORKER");
    return service != NULL && worker != NULL && access(service, X_OK) == 0 && access(worker, X_OK) == 0;
}

void rig_init(rig *r) {
    memset(r, 0, sizeof *r);
    assert_true(temp_make(r->dir));
    snprintf(r->data, sizeof r->data, "%s/data", r->dir);
    gb_ctx_config c;
    gb_ctx_config_defaults(&c);
    c.threads = 1;
    assert_int_equal(gb_ctx_new(&r->ctx, &c), GB_OK);
    assert_int_equal(gb_params_named(&r->params, r->ctx, gb_precision_params(GB_PRECISION_DEFAULT)), GB_OK);
    assert_int_equal(gb_secret_new(&r->secret, &r->keyset, r->ctx, r->params), GB_OK);
}

void rig_release(rig *r) {
    if (r->pid != 0) (void)rig_stop(r, SIGKILL);
    gb_secret_free(r->secret);
    gb_keyset_free(r->keyset);
    gb_params_free(r->params);
    gb_ctx_free(r->ctx);
    temp_remove(r->dir);
}

/* ---- the service ---- */

void rig_launch(rig *r) {
    char address[200], log[96];
    snprintf(address, sizeof address, "%s/address", r->data);
    snprintf(log, sizeof log, "%s/log", r->dir);
    (void)unlink(address);
    const char *arguments[24] = {
        getenv("GLOVEBOXD"),      "--data", r->data, "--listen", "127.0.0.1:0", "--log", log, "--worker",
        getenv("GLOVEBOX_WORKER")};
    size_t n = 9;
    for (size_t i = 0; i < GB_COUNT(r->options) && r->options[i] != NULL; i++) arguments[n++] = r->options[i];
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves no service behind */
        if (r->in_child != NULL && !r->in_child(r)) _exit(77);
        execv(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
}

/* The port from DIR/address, once it is there. */
static bool wait_for_address(rig *r) {
    char path[200];
    snprintf(path, sizeof path, "%s/address", r->data);
    for (int i = 0; i < 3000; i++) {
        uint8_t *text;
        size_t n;
        if (gb_file_read(&text, &n, r->ctx, path, 100) == GB_OK) {
            unsigned port = 0;
            char line[101] = "";
            memcpy(line, text, n);
            gb_free(text);
            const char *colon = strrchr(line, ':');
            if (colon != NULL) port = (unsigned)strtoul(colon + 1, NULL, 10);
            r->port = (uint16_t)port;
            return port > 0;
        }
        int status;
        if (waitpid(r->pid, &status, WNOHANG) == r->pid) {
            r->pid = 0;
            return false;
        }
        usleep(5000);
    }
    return false;
}

static void read_token(rig *r) {
    char path[200];
    uint8_t *text;
    size_t n;
    snprintf(path, sizeof path, "%s/token", r->data);
    assert_int_equal(gb_file_read(&text, &n, r->ctx, path, 100), GB_OK);
    snprintf(r->token, sizeof r->token, "%.64s", (const char *)text);
    snprintf(r->bearer, sizeof r->bearer, "Authorization: Bearer %s\r\n", r->token);
    gb_free(text);
}

static void introduce(rig *r) {
    int status;
    json_t *answer = rig_json(r, &status, "POST", "/v1/workspaces", "{\"name\":\"lab\"}", 14);
    assert_true(status == 201 || status == 200);
    snprintf(r->workspace, sizeof r->workspace, "%s", rig_text(answer, "id"));
    json_decref(answer);
    gb_buffer bytes = GB_BUFFER_INIT;
    char hex[72], path[200];
    assert_int_equal(gb_keyset_encode(&bytes, r->ctx, r->keyset), GB_OK);
    gb_hex(hex, gb_keyset_id(r->keyset)->b, GB_HASH_BYTES);
    snprintf(path, sizeof path, "/v1/workspaces/%s/keysets/%s", r->workspace, hex);
    answer = rig_json(r, &status, "PUT", path, bytes.data, bytes.size);
    assert_true(status == 201 || status == 200);
    json_decref(answer);
    gb_buffer_release(&bytes);
}

bool rig_attach(rig *r) {
    if (!wait_for_address(r)) return false;
    read_token(r);
    if (r->workspace[0] == '\0') introduce(r);
    return true;
}

bool rig_start(rig *r) {
    rig_launch(r);
    return rig_attach(r);
}

int rig_stop(rig *r, int signal) {
    int status = 0;
    (void)kill(r->pid, signal);
    (void)waitpid(r->pid, &status, 0);
    r->pid = 0;
    return status;
}

/* ---- calls ---- */

void rig_call(rig *r, reply *out, const char *method, const char *path, const char *headers, const void *body,
              size_t n) {
    char all[512];
    snprintf(all, sizeof all, "%s%s", r->bearer, headers);
    client_request(out, r->port, method, path, all, body, n);
}

json_t *rig_json(rig *r, int *status, const char *method, const char *path, const void *body, size_t n) {
    reply answer;
    rig_call(r, &answer, method, path, "", body, n);
    json_t *object = answer.size > 0 ? json_loadb((char *)answer.body, answer.size, 0, NULL) : NULL;
    if (status != NULL) *status = answer.status;
    reply_release(&answer);
    return object;
}

const char *rig_text(const json_t *object, const char *name) {
    static char text[4][600];
    static unsigned turn;
    const char *value = json_string_value(json_object_get(object, name));
    char *out = text[turn++ % 4];
    snprintf(out, 600, "%s", value != NULL ? value : "");
    return out;
}

long long rig_number(const json_t *object, const char *name) {
    return (long long)json_integer_value(json_object_get(object, name));
}

/* ---- a program and its data ---- */

static void build_program(rig_case *c, rig *r, uint32_t sets, uint32_t lines, uint32_t rows, uint32_t nk, uint32_t ni) {
    static const double taps[5] = {-0.1, -0.2, 0.6, -0.2, -0.1};
    gb_axis axes[2] = {{"set", sets}, {"line", lines}};
    gb_node in, filtered, out;
    gb_affine *affine;
    assert_int_equal(gb_alloc_zero(&affine, NULL, sets, sizeof *affine), GB_OK);
    for (uint32_t t = 0; t < sets; t++) {
        double angle = -1.0 + 2.0 * t / sets;
        affine[t].step_i = cos(angle);
        affine[t].step_k = sin(angle);
        affine[t].origin = 0.5 * lines - 0.5 * (ni - 1) * cos(angle) - 0.5 * (nk - 1) * sin(angle);
    }
    gb_gather_spec gather = {.sets = sets,
                             .lines = lines,
                             .ni = ni,
                             .nk = nk,
                             .affine = affine,
                             .factor = 1.0 / sets,
                             .axis_names = {"k", "i"}};
    assert_int_equal(gb_program_new(&c->program, r->ctx, "test"), GB_OK);
    assert_int_equal(gb_program_input(&in, r->ctx, c->program, "in", axes, 2, rows), GB_OK);
    assert_int_equal(gb_program_convolve(&filtered, r->ctx, c->program, in, taps, 5), GB_OK);
    assert_int_equal(gb_program_gather(&out, r->ctx, c->program, filtered, &gather), GB_OK);
    assert_int_equal(gb_program_output(r->ctx, c->program, "out", out), GB_OK);
    assert_int_equal(gb_program_declare(r->ctx, c->program, in, 1.0), GB_OK);
    assert_int_equal(gb_program_declare(r->ctx, c->program, filtered, 1.25), GB_OK);
    assert_int_equal(gb_program_declare(r->ctx, c->program, out, 1.25), GB_OK);
    gb_free(affine);
}

static gb_status keep_tile(void *user, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n) {
    rig_case *c = user;
    gb_buffer *b = &c->tiles[tile];
    gb_buffer_release(b);
    gb_write_bytes(b, data, n);
    gb_hash_of(&c->manifest.tiles[tile], data, n, NULL, 0);
    return b->status == GB_OK ? GB_OK : gb_fail(ctx, b->status, "no memory");
}

static void encrypt(rig_case *c, rig *r) {
    const gb_bundle_info *info = &c->manifest.info;
    gb_tile_sink sink = {.user = c, .write = keep_tile};
    size_t lines = gb_bundle_lines(info);
    int64_t *values;
    assert_int_equal(gb_alloc(&values, NULL, (size_t)info->lines_per_tile * info->rows, sizeof *values), GB_OK);
    for (size_t group = 0; group < gb_bundle_groups(info); group++) {
        size_t first = group * info->lines_per_tile;
        size_t count = gb_min_size(info->lines_per_tile, lines - first) * info->rows;
        for (size_t i = 0; i < count; i++) values[i] = llround((double)c->input[first * info->rows + i] * info->scale);
        assert_int_equal(gb_encrypt_seeded(r->ctx, r->secret, info, group, values, &sink), GB_OK);
    }
    gb_free(values);
}

void rig_case_make(rig_case *c, rig *r, uint32_t sets, uint32_t lines, uint32_t rows, uint32_t nk, uint32_t ni) {
    memset(c, 0, sizeof *c);
    build_program(c, r, sets, lines, rows, nk, ni);
    size_t inputs = (size_t)sets * lines * rows;
    c->outputs = (size_t)nk * ni * rows;
    assert_int_equal(gb_alloc(&c->input, NULL, inputs, sizeof *c->input), GB_OK);
    assert_int_equal(gb_alloc(&c->expected, NULL, c->outputs, sizeof *c->expected), GB_OK);
    for (size_t i = 0; i < inputs; i++) c->input[i] = (float)sin(0.001 * (double)i * (double)(1 + i % 7));
    const float *in[] = {c->input};
    float *out[] = {c->expected};
    assert_int_equal(gb_run_plain_f32(r->ctx, c->program, in, out, NULL), GB_OK);
    assert_int_equal(gb_program_encode(&c->program_bytes, r->ctx, c->program), GB_OK);
    gb_status status = gb_plan_new(&c->plan, r->ctx, c->program, r->params, GB_PRECISION_DEFAULT, 1);
    if (status != GB_OK) print_error("plan: %s\n", gb_ctx_error(r->ctx));
    assert_int_equal(status, GB_OK);
    c->manifest.info = *gb_plan_input(c->plan, 0);
    c->manifest.info.key = *gb_secret_key_id(r->secret);
    c->manifest.info.seeded = true;
    gb_random_bytes(c->manifest.info.seed.b, GB_SEED_BYTES);
    size_t n = gb_bundle_tiles(&c->manifest.info, r->params);
    c->manifest.tile_count = n;
    assert_int_equal(gb_alloc_zero(&c->manifest.tiles, NULL, n, sizeof *c->manifest.tiles), GB_OK);
    assert_int_equal(gb_alloc_zero(&c->tiles, NULL, n, sizeof *c->tiles), GB_OK);
    assert_int_equal(gb_manifest_encode(&c->draft_bytes, r->ctx, &c->manifest), GB_OK);
    encrypt(c, r);
    assert_int_equal(gb_manifest_encode(&c->manifest_bytes, r->ctx, &c->manifest), GB_OK);
}

void rig_case_release(rig_case *c) {
    for (size_t i = 0; i < c->manifest.tile_count; i++) gb_buffer_release(&c->tiles[i]);
    gb_free(c->tiles);
    gb_manifest_release(&c->manifest);
    gb_buffer_release(&c->manifest_bytes);
    gb_buffer_release(&c->draft_bytes);
    gb_buffer_release(&c->program_bytes);
    gb_plan_free(c->plan);
    gb_program_free(c->program);
    gb_free(c->input);
    gb_free(c->expected);
}

/* ---- sending ---- */

void rig_send_program(rig_case *c, rig *r) {
    char path[200];
    int status;
    snprintf(path, sizeof path, "/v1/workspaces/%s/programs", r->workspace);
    json_t *answer = rig_json(r, &status, "PUT", path, c->program_bytes.data, c->program_bytes.size);
    assert_true(status == 201 || status == 200);
    snprintf(c->program_id, sizeof c->program_id, "%s", rig_text(answer, "id"));
    json_decref(answer);
}

bool rig_send_tile(const rig_case *c, rig *r, size_t tile, int *status) {
    char path[200], header[128], hex[72];
    reply answer;
    gb_hex(hex, c->manifest.tiles[tile].b, GB_HASH_BYTES);
    snprintf(path, sizeof path, "/v1/datasets/%s/tiles/%zu", c->dataset, tile);
    snprintf(header, sizeof header, "X-Glovebox-Hash: %s\r\n", hex);
    rig_call(r, &answer, "PUT", path, header, c->tiles[tile].data, c->tiles[tile].size);
    *status = answer.status;
    reply_release(&answer);
    return *status == 204;
}

bool rig_send_dataset(rig_case *c, rig *r, const char *nonce) {
    char path[300];
    int status;
    snprintf(path, sizeof path, "/v1/workspaces/%s/datasets?label=case&nonce=%s", r->workspace, nonce);
    json_t *answer = rig_json(r, &status, "POST", path, c->draft_bytes.data, c->draft_bytes.size);
    if (status == 201 || status == 200) snprintf(c->dataset, sizeof c->dataset, "%s", rig_text(answer, "id"));
    if (status >= 400) print_error("draft: %s\n", json_dumps(answer, 0));
    json_decref(answer);
    if (status != 201 && status != 200) return false;
    snprintf(path, sizeof path, "/v1/datasets/%s/missing", c->dataset);
    answer = rig_json(r, &status, "GET", path, NULL, 0);
    bool good = status == 200;
    const json_t *missing = json_object_get(answer, "missing");
    for (size_t i = 0; good && i < json_array_size(missing); i++)
        good = rig_send_tile(c, r, (size_t)json_integer_value(json_array_get(missing, i)), &status);
    json_decref(answer);
    if (!good) return false;
    snprintf(path, sizeof path, "/v1/datasets/%s/commit", c->dataset);
    answer = rig_json(r, &status, "POST", path, c->manifest_bytes.data, c->manifest_bytes.size);
    if (status >= 400) print_error("commit: %d %s\n", status, rig_text(json_object_get(answer, "error"), "message"));
    json_decref(answer);
    return status == 200;
}

void rig_submit(char job[40], rig_case *c, rig *r) {
    char path[200], body[300];
    int status;
    snprintf(path, sizeof path, "/v1/workspaces/%s/jobs", r->workspace);
    snprintf(body, sizeof body, "{\"program\":\"%s\",\"inputs\":[\"%s\"],\"label\":\"j\"}", c->program_id, c->dataset);
    json_t *answer = rig_json(r, &status, "POST", path, body, strlen(body));
    if (status != 202) print_error("job: %d %s\n", status, rig_text(json_object_get(answer, "error"), "message"));
    assert_int_equal(status, 202);
    snprintf(job, 40, "%s", rig_text(answer, "id"));
    json_decref(answer);
}

json_t *rig_wait(rig *r, const char *job, double seconds) {
    char path[100];
    double until = gb_seconds() + seconds;
    snprintf(path, sizeof path, "/v1/jobs/%s", job);
    while (gb_seconds() < until) {
        int status;
        json_t *answer = rig_json(r, &status, "GET", path, NULL, 0);
        const char *state = rig_text(answer, "state");
        if (strcmp(state, "done") == 0 || strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0)
            return answer;
        json_decref(answer);
        usleep(20000);
    }
    return NULL;
}

/* ---- checking ---- */

typedef struct download {
    rig *r;
    const char *dataset;
} download;

static gb_status read_tile(void *user, gb_ctx *ctx, size_t tile, uint8_t *data, size_t capacity, size_t *n) {
    download *d = user;
    char path[200];
    reply answer;
    snprintf(path, sizeof path, "/v1/datasets/%s/tiles/%zu", d->dataset, tile);
    rig_call(d->r, &answer, "GET", path, "", NULL, 0);
    gb_status status = answer.status == 200 && answer.size <= capacity
                           ? GB_OK
                           : gb_fail(ctx, GB_ERR_NETWORK, "tile %zu answered %d", tile, answer.status);
    if (status == GB_OK) memcpy(data, answer.body, answer.size);
    *n = answer.size;
    reply_release(&answer);
    return status;
}

double rig_check(const rig_case *c, rig *r, const char *dataset) {
    char path[200];
    reply answer;
    gb_manifest manifest = {0};
    download d = {r, dataset};
    gb_tile_source source = {&d, read_tile};
    snprintf(path, sizeof path, "/v1/datasets/%s/manifest", dataset);
    rig_call(r, &answer, "GET", path, "", NULL, 0);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gb_manifest_decode(&manifest, NULL, r->ctx, answer.body, answer.size), GB_OK);
    reply_release(&answer);
    const gb_bundle_info *info = &manifest.info;
    size_t lines = gb_bundle_lines(info);
    assert_int_equal(lines * info->rows, c->outputs);
    double *values, worst = 0, largest = 0;
    assert_int_equal(gb_alloc(&values, NULL, (size_t)info->lines_per_tile * info->rows, sizeof *values), GB_OK);
    for (size_t group = 0; group < gb_bundle_groups(info); group++) {
        size_t first = group * info->lines_per_tile;
        size_t count = gb_min_size(info->lines_per_tile, lines - first) * info->rows;
        gb_status status = gb_decrypt(values, r->ctx, r->secret, info, group, &source);
        if (status != GB_OK) print_error("decrypt: %s\n", gb_ctx_error(r->ctx));
        assert_int_equal(status, GB_OK);
        for (size_t i = 0; i < count; i++) {
            double want = (double)c->expected[first * info->rows + i];
            worst = fmax(worst, fabs(values[i] - want));
            largest = fmax(largest, fabs(want));
        }
    }
    gb_free(values);
    gb_manifest_release(&manifest);
    return worst / largest;
}
