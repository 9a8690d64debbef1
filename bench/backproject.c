/* Group `backproject`: 512 (x) x 512 (y) x 61 tilts, -60 to 60 degrees by 2, into 512 x 512 x 128, on one core.
 *
 * plain: the float32 loop over all 512 rows. encrypted: what a worker does for the same volume under point symmetry
 * (two rows packed in each ciphertext of N = 2048): c0 gives 1024 coefficients a voxel and c1 2048, in blocks of 64,
 * for half of the volume: 48 calls, three coefficients for each sample of the plain loop. Variants and forms take
 * turns, so that a busy machine slows all of them alike; figures are medians over the turns. */
#include <math.h>

#include "base/base.h"
#include "bench/bench.h"
#include "kernel/gather.h"

enum { NX = 512, ROWS = 512, TILTS = 61, NZ = 128, BLOCK = 64, BLOCKS = 48, MOST_PARTS = 3, MOST_TABLES = 4 };

typedef struct setup {
    gb_affine affine[TILTS];
    gb_gather_plan plan;
    float *lines, *volume;
    int16_t *digits;
    uint64_t *sums;
    void *scratch;
} setup;

static const struct form {
    const char *name, *parameters;
    unsigned parts, bits, weight_bits;
} forms[] = {{"backproject plain", "float32", 0, 0, 10},
             {"backproject encrypted", "2 x 16 bits, weights 10", 2, 16, 10},
             {"backproject encrypted", "3 x 14 bits, weights 12", 3, 14, 12}};

static void setup_release(setup *s) {
    gb_free(s->lines);
    gb_free(s->volume);
    gb_free(s->digits);
    gb_free(s->sums);
    gb_free(s->scratch);
}

static gb_status setup_init(setup *s, gb_ctx *ctx) {
    size_t scratch = 0;
    memset(s, 0, sizeof *s);
    for (int t = 0; t < TILTS; t++) {
        double angle = (-60 + 2 * t) * (3.14159265358979323846 / 180), step_i = cos(angle), step_k = sin(angle);
        double middle_i = (NX - 1) / 2.0, middle_k = (NZ - 1) / 2.0;
        s->affine[t] = (gb_affine){middle_i - middle_i * step_i - middle_k * step_k, step_i, step_k};
    }
    s->plan = (gb_gather_plan){TILTS, NX, NX, NZ, s->affine, 12, false};
    GB_TRY(gb_alloc(&s->lines, ctx, (size_t)TILTS * NX * ROWS, sizeof *s->lines));
    GB_TRY(gb_alloc(&s->volume, ctx, (size_t)NX * NZ * ROWS, sizeof *s->volume));
    GB_TRY(gb_alloc(&s->digits, ctx, (size_t)TILTS * NX * BLOCK * MOST_PARTS, sizeof *s->digits));
    GB_TRY(gb_alloc(&s->sums, ctx, (size_t)NX * (NZ / 2) * BLOCK, sizeof *s->sums));
    for (unsigned parts = 1; parts <= MOST_PARTS; parts++)
        scratch = gb_max_size(scratch, gb_gather_scratch_int(&s->plan, BLOCK, parts));
    scratch = gb_max_size(scratch, gb_gather_scratch_f32(&s->plan, ROWS));
    GB_TRY(gb_alloc(&s->scratch, ctx, scratch, 1));
    for (size_t j = 0; j < (size_t)TILTS * NX * ROWS; j++) s->lines[j] = (float)(j * 2654435761u % 1000);
    for (size_t j = 0; j < (size_t)TILTS * NX * BLOCK * MOST_PARTS; j++)
        s->digits[j] = (int16_t)((int)(j * 2654435761u >> 7 & 0x3fff) - 0x2000); /* 14 bits */
    /* pages are touched before the first turn */
    memset(s->volume, 0, (size_t)NX * NZ * ROWS * sizeof *s->volume);
    memset(s->sums, 0, (size_t)NX * (NZ / 2) * BLOCK * sizeof *s->sums);
    return GB_OK;
}

/* One form on one table: `planes` of the volume, or `blocks` of the coefficients. */
typedef struct job {
    setup *s;
    const gb_gather_kernels *k;
    const struct form *f;
    size_t planes, blocks;
} job;

static void run(void *user) {
    job *j = user;
    setup *s = j->s;
    s->plan.weight_bits = j->f->weight_bits;
    if (j->f->parts == 0) j->k->f32(s->volume, s->lines, ROWS, 0, j->planes, &s->plan, s->scratch);
    for (size_t b = 0; b < j->blocks; b++)
        j->k->digits(s->sums, s->digits, BLOCK, j->f->parts, j->f->bits, 0, NZ / 2, &s->plan, s->scratch);
}

/* Plain C does a small share of the work. The float loop of the others is never cut short: fewer planes cost more each.
 */
static job job_of(gb_bench *b, setup *s, const gb_gather_kernels *k, const struct form *f, bool plain_c) {
    job j = {.s = s, .k = k, .f = f};
    if (f->parts == 0)
        j.planes = plain_c ? 4 : NZ;
    else
        j.blocks = plain_c ? 1 : gb_bench_quick(b) ? BLOCKS / 8 : BLOCKS;
    return j;
}

gb_status bench_backproject(gb_bench *b, gb_ctx *ctx) {
    const double samples = (double)NX * ROWS * NZ * TILTS;
    const gb_gather_kernels *k[MOST_TABLES];
    gb_bench_case cases[MOST_TABLES * GB_COUNT(forms)];
    job jobs[GB_COUNT(cases)];
    double share[GB_COUNT(cases)];
    size_t count = gb_gather_list(k, MOST_TABLES), n = 0;
    setup s;
    gb_status status = setup_init(&s, ctx);
    for (size_t v = 0; v < count; v++)
        for (size_t f = 0; f < GB_COUNT(forms); f++, n++) {
            jobs[n] = job_of(b, &s, k[v], &forms[f], v == 0);
            share[n] = forms[f].parts ? (double)jobs[n].blocks / BLOCKS : (double)jobs[n].planes / NZ;
            cases[n] = (gb_bench_case){.name = forms[f].name,
                                       .parameters = forms[f].parameters,
                                       .isa = k[v]->name,
                                       .peer = "",
                                       .unit = f == 0 ? "ns/voxel/tilt" : "ns/sample/tilt",
                                       .per_second = 1e9 / (samples * share[n]),
                                       .threads = 1,
                                       .cpu_time = true,
                                       .run = run,
                                       .user = &jobs[n]};
        }
    if (status == GB_OK) gb_bench_run(b, cases, n);
    for (size_t c = 0; c < n && status == GB_OK; c++) {
        size_t plain = c - c % GB_COUNT(forms);
        double seconds = cases[c].seconds / share[c];
        gb_bench_add(b, cases[c].name, seconds, "s", cases[c].parameters, cases[c].isa, 1, "");
        if (c != plain)
            gb_bench_add(b, cases[c].name, seconds / (cases[plain].seconds / share[plain]), "x", cases[c].parameters,
                         cases[c].isa, 1, "plain");
    }
    setup_release(&s);
    return status;
}
