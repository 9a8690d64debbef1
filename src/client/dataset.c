/* client/dataset: put, list, get and remove: image stacks kept encrypted at the server.
 *
 * A stack of nz sections of nx x ny becomes lines (z, strip, x) of `rows` values: row r of strip i is row i * rows + r
 * of the section, zero past its end. Strips exist because a ciphertext has only N coefficients. */
#include "client/remote.h"
#include "format/format.h"
#include "workload/tomography/tomography.h"

#include <math.h>

#define GB_TILE_LINES 512 /* lines in a tile of ours: some 200 KiB at 50 bits */

void gb_put_options_defaults(gb_put_options *o) { *o = (gb_put_options){.size = sizeof *o, .precision = "default"}; }

/* ---- put ---- */

typedef struct stack {
    gb_image *file;
    const gb_image_info *info;
    uint32_t rows, strips;
    float *section; /* [rows][nx]: strip `held` of all */
    size_t held;    /* z * strips + strip; SIZE_MAX: none */
} stack;

static gb_status hold(stack *s, gb_ctx *ctx, size_t which) {
    if (s->held == which) return GB_OK;
    const uint32_t z = (uint32_t)(which / s->strips), y0 = (uint32_t)(which % s->strips) * s->rows;
    const uint32_t left = s->info->ny - y0, count = left < s->rows ? left : s->rows;
    s->held = SIZE_MAX;
    if (count < s->rows) memset(s->section, 0, (size_t)s->rows * s->info->nx * sizeof *s->section);
    GB_TRY(gb_image_read(s->section, ctx, s->file, z, 1, y0, count));
    s->held = which;
    return GB_OK;
}

static gb_status read_lines(void *user, gb_ctx *ctx, float *out, size_t first, size_t count) {
    stack *s = user;
    const size_t nx = s->info->nx;
    for (size_t i = 0; i < count; i++) {
        GB_TRY(hold(s, ctx, (first + i) / nx));
        const size_t x = (first + i) % nx;
        for (size_t r = 0; r < s->rows; r++) out[i * s->rows + r] = s->section[r * nx + x];
    }
    return GB_OK;
}

/* Largest |value|: the bound to declare. Rounded up to a power of two, so that it tells little. */
static gb_status bound_of(double *out, stack *s, gb_ctx *ctx) {
    double most = 0;
    const size_t all = (size_t)s->info->nz * s->strips, n = (size_t)s->rows * s->info->nx;
    for (size_t i = 0; i < all; i++) {
        GB_TRY(hold(s, ctx, i));
        for (size_t k = 0; k < n; k++) most = fmax(most, fabs((double)s->section[k]));
        GB_TRY(gb_progress(ctx, "read", i + 1, all));
    }
    *out = most > 0 ? exp2(ceil(log2(most))) : 1;
    return GB_OK;
}

static gb_status describe(gb_bundle_info *info, gb_client *c, const stack *s, double bound) {
    const gb_params *p = gb_secret_params(c->secret);
    const size_t limbs = gb_params_get(p)->data_count;
    *info = (gb_bundle_info){.params = *gb_params_hash(p),
                             .key = *gb_secret_key_id(c->secret),
                             .axis_count = 3,
                             .axes = {{"z", s->info->nz}, {"strip", s->strips}, {"x", s->info->nx}},
                             .rows = s->rows,
                             .copies = 1,
                             .limbs = (uint32_t)limbs,
                             .max_abs = bound,
                             .lines_per_tile = GB_TILE_LINES,
                             .seeded = true};
    const size_t lines = (size_t)s->info->nz * s->strips * s->info->nx;
    if (lines < info->lines_per_tile) info->lines_per_tile = (uint32_t)lines;
    /* bound * scale <= Q / 8: room for the noise below Q / 4; 2^50 keeps scaled values exact as doubles. */
    const double room = fmin(floor(gb_ring_log2_q(gb_params_ring(p), limbs)) - 3, 50);
    info->scale = exp2(room - log2(bound));
    return gb_bundle_check(c->ctx, info, p);
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static gb_status put_stack(gb_dataset_info *out, gb_client *c, stack *s, const gb_put_options *o) {
    const size_t n = gb_ring_n(gb_params_ring(gb_secret_params(c->secret)));
    s->info = gb_image_get_info(s->file);
    s->strips = (uint32_t)gb_ceil_div(s->info->ny, n);
    s->rows = (uint32_t)gb_ceil_div(s->info->ny, s->strips);
    s->held = SIZE_MAX;
    GB_TRY(gb_alloc(&s->section, c->ctx, (size_t)s->rows * s->info->nx, sizeof *s->section));
    double bound;
    gb_bundle_info info;
    GB_TRY(bound_of(&bound, s, c->ctx));
    GB_TRY(describe(&info, c, s, bound));
    gb_note note = {.kind = GB_NOTE_STACK,
                    .sample = s->info->sample,
                    .nx = s->info->nx,
                    .ny = s->info->ny,
                    .nz = s->info->nz,
                    .copies = 1};
    for (unsigned i = 0; i < 3; i++) note.pixel[i] = (float)s->info->pixel[i];
    gb_copy_text(note.name, sizeof note.name, o->name ? o->name : base_name(o->input));
    const gb_line_source lines = {.user = s, .read = read_lines};
    gb_api_dataset d;
    gb_journal journal;
    uint64_t bytes = 0;
    GB_TRY(gb_remote_put(&d, &journal, c, &info, &lines, &note, &bytes));
    gb_journal_remove(&journal);
    *out = d.info;
    gb_copy_text(out->name, sizeof out->name, note.name);
    return GB_OK;
}

gb_status gb_client_put(gb_dataset_info *out, gb_client *c, const gb_put_options *o) {
    memset(out, 0, sizeof *out);
    if (o->size != sizeof *o || !o->input)
        return gb_fail(c->ctx, GB_ERR_ARGUMENT, "gb_put_options: call gb_put_options_defaults first, and set input");
    const char *params = gb_client_params_of(o->precision);
    if (!params) return gb_fail(c->ctx, GB_ERR_ARGUMENT, "precision '%s': want default or high", o->precision);
    stack s = {0};
    GB_TRY(gb_image_open(&s.file, c->ctx, o->input, o->nan == GB_PIXELS_MEAN ? GB_NAN_MEAN : GB_NAN_REFUSE));
    gb_status status = gb_api_open(c);
    if (status == GB_OK) status = gb_keystore_open_for(c, o->key, params);
    if (status == GB_OK) status = put_stack(out, c, &s, o);
    gb_free(s.section);
    gb_image_close(s.file);
    return status;
}

/* ---- list, remove ---- */

typedef struct listing {
    gb_client *c;
    bool open;
    gb_dataset_fn each;
    void *user;
} listing;

static gb_status show(void *user, const gb_api_dataset *d) {
    const listing *l = user;
    gb_dataset_info info = d->info;
    gb_note note;
    if (l->open && gb_note_open(&note, l->c, d->label) == GB_OK) gb_copy_text(info.name, sizeof info.name, note.name);
    return l->each(l->user, &info) == 0 ? GB_OK : gb_fail(l->c->ctx, GB_ERR_CANCELLED, "cancelled");
}

gb_status gb_client_list(gb_client *c, const char *key, gb_dataset_fn each, void *user) {
    const listing l = {.c = c, .open = key != NULL, .each = each, .user = user};
    GB_TRY(gb_api_open(c));
    if (key) GB_TRY(gb_keystore_open(c, key));
    return gb_api_datasets(c, show, (void *)&l);
}

gb_status gb_client_remove(gb_client *c, const char *id) { return gb_api_remove(c, id); }

/* ---- get ---- */

typedef struct target {
    gb_note note;
    gb_bundle_info info;
    gb_mrc_writer *writer;
    gb_tomo_config config; /* VOLUME */
    float *array;          /* STACK: [ny][nx] of section `z`; VOLUME: all of it, [ny][nz][nx] */
    size_t z;
} target;

static gb_status write_section(target *t, gb_ctx *ctx) {
    return gb_mrc_write(ctx, t->writer, t->array, (uint32_t)t->z, 1, 0, t->note.ny);
}

static gb_status write_stack(void *user, gb_ctx *ctx, const double *lines, size_t first, size_t count) {
    target *t = user;
    const size_t nx = t->note.nx, strips = t->info.axis_count == 3 ? t->info.axes[1].size : 1, rows = t->info.rows;
    for (size_t i = 0; i < count; i++) {
        const size_t line = first + i, x = line % nx, y0 = line / nx % strips * rows, z = line / nx / strips;
        if (z != t->z) {
            GB_TRY(write_section(t, ctx));
            t->z = z;
        }
        for (size_t r = 0; r < rows && y0 + r < t->note.ny; r++)
            t->array[(y0 + r) * nx + x] = (float)lines[i * rows + r];
    }
    return GB_OK;
}

static gb_status write_volume(void *user, gb_ctx *ctx, const double *lines, size_t first, size_t count) {
    target *t = user;
    return gb_tomo_unpack(t->array, ctx, &t->config, lines, first, count);
}

/* Integers are written as the integers they were: the noise is far below one half. Unsigned bytes need the next larger.
 */
static gb_sample sample_of(const gb_note *n) {
    if (n->kind != GB_NOTE_STACK) return GB_SAMPLE_F32;
    switch (n->sample) {
    case GB_SAMPLE_I8:
        return GB_SAMPLE_I8;
    case GB_SAMPLE_I16:
        return GB_SAMPLE_I16;
    case GB_SAMPLE_U8:
    case GB_SAMPLE_U16:
        return GB_SAMPLE_U16;
    default:
        return GB_SAMPLE_F32;
    }
}

/* What the note says must fit what the manifest says, or the unpacking would run past its arrays. */
static bool consistent(const target *t) {
    const gb_note *n = &t->note;
    const gb_bundle_info *b = &t->info;
    if (n->nx == 0 || n->ny == 0 || n->nz == 0 || n->nx != b->axes[b->axis_count - 1].size) return false;
    if (n->kind == GB_NOTE_STACK) {
        const uint64_t strips = b->axis_count == 3 ? b->axes[1].size : 1;
        return b->axis_count >= 2 && b->axes[0].size == n->nz && strips * b->rows >= n->ny;
    }
    return b->axis_count == 2 && (n->copies == 1 || n->copies == 2) && n->copies == b->copies &&
           (uint64_t)n->copies * n->ny == b->rows && b->axes[0].size == gb_tomo_nk(&t->config);
}

static gb_status begin(target *t, gb_ctx *ctx, const char *output) {
    const gb_note *n = &t->note;
    const bool volume = n->kind == GB_NOTE_VOLUME;
    static const double no_tilt[1] = {0};
    gb_tomo_config_defaults(&t->config);
    t->config.nx = n->nx;
    t->config.ny = n->ny;
    t->config.nz = n->nz;
    t->config.copies = n->copies;
    t->config.tilts = no_tilt; /* unpacking does not depend on the tilts */
    t->config.tilt_count = 1;
    if (!consistent(t))
        return gb_fail(ctx, GB_ERR_FORMAT, "the dataset's note does not fit its data; the server's copy is damaged");
    const gb_mrc_spec spec = {.nx = n->nx,
                              .ny = volume ? n->nz : n->ny,
                              .nz = volume ? n->ny : n->nz,
                              .sample = sample_of(n),
                              .pixel = {(double)n->pixel[0], (double)n->pixel[1], (double)n->pixel[2]},
                              .volume = volume,
                              .labels = {"Glovebox " GB_VERSION ": decrypted"}};
    GB_TRY(gb_mrc_create(&t->writer, ctx, output, &spec));
    return gb_alloc_zero(&t->array, ctx, (size_t)n->nx * n->ny * (volume ? n->nz : 1), sizeof *t->array);
}

/* Opens the dataset's key: the one named, or the one of the store with its id. */
static gb_status open_key(gb_client *c, const gb_api_dataset *d, const char *key) {
    char name[GB_KEY_NAME_MAX + 1], id[2 * GB_HASH_BYTES + 1];
    if (!key) {
        GB_TRY(gb_keystore_find(name, c, d->info.key));
        return gb_keystore_open(c, name);
    }
    GB_TRY(gb_keystore_open(c, key));
    gb_hex(id, gb_secret_key_id(c->secret)->b, GB_HASH_BYTES);
    if (strcmp(id, d->info.key) == 0) return GB_OK;
    return gb_fail(c->ctx, GB_ERR_KEY,
                   "dataset %s is encrypted under the key %.16s..., not under '%s'; see glovebox key list", d->info.id,
                   d->info.key, key);
}

static gb_status get_dataset(target *t, gb_client *c, const char *id, const char *output, const char *key) {
    gb_api_dataset d;
    gb_manifest m;
    gb_params *p;
    uint64_t bytes = 0;
    GB_TRY(gb_api_dataset_get(&d, c, id));
    if (strcmp(d.info.state, "ready") != 0)
        return gb_fail(c->ctx, GB_ERR_STATE, "dataset %s is %s, %llu of %llu tiles are there; finish its upload first",
                       id, d.info.state, (unsigned long long)d.info.received, (unsigned long long)d.info.tiles);
    GB_TRY(open_key(c, &d, key));
    gb_status s = gb_remote_manifest(&m, &p, c, id);
    if (s == GB_OK) t->info = m.info;
    gb_manifest_release(&m);
    gb_params_free(p);
    if (s == GB_OK && gb_note_open(&t->note, c, d.label) != GB_OK)
        s = gb_fail(c->ctx, GB_ERR_FORMAT,
                    "dataset %s carries no note of this key about its shape; it was not made by this "
                    "client",
                    id);
    if (s == GB_OK) s = begin(t, c->ctx, output);
    const bool volume = t->note.kind == GB_NOTE_VOLUME;
    const gb_line_sink lines = {.user = t, .write = volume ? write_volume : write_stack};
    if (s == GB_OK) s = gb_remote_get(c, id, NULL, &lines, &bytes);
    if (s == GB_OK)
        s = volume ? gb_mrc_write(c->ctx, t->writer, t->array, 0, t->note.ny, 0, t->note.nz) : write_section(t, c->ctx);
    if (s != GB_OK) return s;
    gb_mrc_writer *writer = t->writer;
    t->writer = NULL;
    return gb_mrc_finish(c->ctx, writer);
}

gb_status gb_client_get(gb_client *c, const char *id, const char *output, const char *key) {
    target t = {0};
    const gb_status s = get_dataset(&t, c, id, output, key);
    gb_mrc_abandon(t.writer);
    gb_free(t.array);
    return s;
}
