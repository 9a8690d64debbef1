/* client/montage: see montage.h. */
#include "client/montage.h"

#include "client/font.h"
#include "format/format.h"

#include <math.h>
#include <stdlib.h>

#define GB_DIFFERENCE 1000.0f
#define GB_CELL 256 /* a panel is at most this wide and high, and enlarged by a whole factor up to it */
#define GB_MARGIN 12
#define GB_CAPTION 22 /* room above the first row */
#define GB_LEGEND 16  /* room above each other row */

gb_status gb_montage_init(gb_montage *m, gb_ctx *ctx, uint32_t nx, uint32_t ny, uint32_t nz) {
    *m = (gb_montage){.nx = nx, .ny = ny, .nz = nz};
    for (unsigned i = 0; i < GB_MONTAGE_SLICES; i++)
        m->slice[i] = (uint32_t)((uint64_t)ny * (i + 1) / (GB_MONTAGE_SLICES + 1));
    gb_status s = GB_OK;
    for (unsigned i = 0; i < 2 && s == GB_OK; i++) {
        s = gb_alloc_zero(&m->slices[i], ctx, (size_t)GB_MONTAGE_SLICES * nz * nx, sizeof(float));
        if (s == GB_OK) s = gb_alloc_zero(&m->plane[i], ctx, (size_t)ny * nx, sizeof(float));
    }
    if (s != GB_OK) gb_montage_release(m);
    return s;
}

void gb_montage_release(gb_montage *m) {
    for (unsigned i = 0; i < 2; i++) {
        gb_free(m->slices[i]);
        gb_free(m->plane[i]);
    }
    memset(m, 0, sizeof *m);
}

void gb_montage_add(gb_montage *m, unsigned which, const float *rows, uint32_t y0, uint32_t count) {
    const size_t section = (size_t)m->nz * m->nx;
    for (unsigned i = 0; i < GB_MONTAGE_SLICES; i++) {
        if (m->slice[i] < y0 || m->slice[i] >= y0 + count) continue;
        memcpy(m->slices[which] + i * section, rows + (m->slice[i] - y0) * section, section * sizeof(float));
    }
    for (uint32_t y = 0; y < count; y++)
        memcpy(m->plane[which] + (size_t)(y0 + y) * m->nx, rows + y * section + (size_t)(m->nz / 2) * m->nx,
               m->nx * sizeof(float));
}

/* ---- drawing ---- */

typedef struct canvas {
    uint8_t *pixels;
    uint32_t width, height;
} canvas;

static void draw_text(canvas *c, uint32_t x, uint32_t y, const char *text) {
    for (; *text; text++, x += GB_FONT_WIDTH + 1) {
        const unsigned ch = (unsigned char)*text < 32 || (unsigned char)*text > 126 ? 0 : (unsigned)*text - 32;
        for (uint32_t r = 0; r < GB_FONT_HEIGHT; r++)
            for (uint32_t i = 0; i < GB_FONT_WIDTH; i++)
                if ((gb_font[ch][r] >> (GB_FONT_WIDTH - 1 - i) & 1) && x + i < c->width && y + r < c->height)
                    c->pixels[(size_t)(y + r) * c->width + x + i] = 230;
    }
}

typedef struct panel { /* an image and the size it is drawn in */
    uint32_t nx, ny, width, height;
} panel;

static panel fit(uint32_t nx, uint32_t ny) {
    const uint32_t larger = nx > ny ? nx : ny;
    panel p = {.nx = nx, .ny = ny, .width = nx, .height = ny};
    if (larger <= GB_CELL) {
        const uint32_t factor = GB_CELL / larger;
        p.width = nx * factor;
        p.height = ny * factor;
    } else {
        p.width = (uint32_t)gb_max_size((uint64_t)nx * GB_CELL / larger, 1);
        p.height = (uint32_t)gb_max_size((uint64_t)ny * GB_CELL / larger, 1);
    }
    return p;
}

/* Row 0 of the data is drawn at the bottom, as microscopists look at their volumes. */
static void draw_image(canvas *c, const panel *p, uint32_t x0, uint32_t y0, const uint8_t *grey) {
    for (uint32_t y = 0; y < p->height; y++) {
        const uint32_t from = p->ny - 1 - (uint32_t)((uint64_t)y * p->ny / p->height);
        for (uint32_t x = 0; x < p->width; x++)
            c->pixels[(size_t)(y0 + y) * c->width + x0 + x] =
                grey[(size_t)from * p->nx + (uint32_t)((uint64_t)x * p->nx / p->width)];
    }
}

static int by_value(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Grey range of the reference: all but the lowest and highest half per cent. */
static gb_status range_of(double *low, double *high, gb_ctx *ctx, const float *data, size_t n) {
    float *sorted;
    GB_TRY(gb_alloc(&sorted, ctx, n, sizeof *sorted));
    memcpy(sorted, data, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    *low = (double)sorted[n / 200];
    *high = (double)sorted[n - 1 - n / 200];
    gb_free(sorted);
    if (*high <= *low) *high = *low + 1;
    return GB_OK;
}

typedef struct row_data {
    const float *got, *reference;
    double low, high;
} row_data;

/* Result, reference and difference side by side; the difference is drawn around the middle grey of the same range. */
static gb_status draw_row(canvas *c, gb_ctx *ctx, const panel *p, uint32_t y0, const row_data *row) {
    const size_t n = (size_t)p->nx * p->ny;
    uint8_t *grey;
    float *difference;
    GB_TRY(gb_alloc(&grey, ctx, n, 1));
    const gb_status s = gb_alloc(&difference, ctx, n, sizeof *difference);
    if (s == GB_OK) {
        const float middle = (float)(row->low + row->high) / 2;
        for (size_t i = 0; i < n; i++) difference[i] = middle + (row->got[i] - row->reference[i]) * GB_DIFFERENCE;
        const float *const columns[3] = {row->got, row->reference, difference};
        for (uint32_t i = 0; i < 3; i++) {
            gb_png_grey(grey, columns[i], n, row->low, row->high);
            draw_image(c, p, GB_MARGIN + i * (GB_CELL + GB_MARGIN) + (GB_CELL - p->width) / 2, y0, grey);
        }
    }
    gb_free(difference);
    gb_free(grey);
    return s;
}

static gb_status draw_all(canvas *c, gb_ctx *ctx, const gb_montage *m, const char *title, const panel *slice,
                          const panel *plane) {
    const char *const captions[3] = {title, "plaintext", "difference x 1000"};
    const size_t section = (size_t)m->nz * m->nx;
    row_data row;
    char text[64];
    for (uint32_t i = 0; i < 3; i++) draw_text(c, GB_MARGIN + i * (GB_CELL + GB_MARGIN), 5, captions[i]);
    GB_TRY(range_of(&row.low, &row.high, ctx, m->slices[1], GB_MONTAGE_SLICES * section));
    uint32_t y = GB_CAPTION;
    for (uint32_t i = 0; i < GB_MONTAGE_SLICES; i++) {
        (void)snprintf(text, sizeof text, "slice y = %u, normal to the tilt axis", m->slice[i]);
        draw_text(c, GB_MARGIN, y, text);
        row.got = m->slices[0] + i * section;
        row.reference = m->slices[1] + i * section;
        GB_TRY(draw_row(c, ctx, slice, y + GB_LEGEND - 4, &row));
        y += slice->height + GB_LEGEND;
    }
    (void)snprintf(text, sizeof text, "plane z = %u, along the tilt axis", m->nz / 2);
    draw_text(c, GB_MARGIN, y, text);
    row.got = m->plane[0];
    row.reference = m->plane[1];
    GB_TRY(range_of(&row.low, &row.high, ctx, m->plane[1], (size_t)m->ny * m->nx));
    return draw_row(c, ctx, plane, y + GB_LEGEND - 4, &row);
}

gb_status gb_montage_write(gb_ctx *ctx, const gb_montage *m, const char *title, const char *path) {
    const panel slice = fit(m->nx, m->nz), plane = fit(m->nx, m->ny);
    canvas c = {.width = 3 * GB_CELL + 4 * GB_MARGIN,
                .height = GB_CAPTION + GB_MONTAGE_SLICES * (slice.height + GB_LEGEND) + plane.height + GB_LEGEND};
    GB_TRY(gb_alloc(&c.pixels, ctx, c.height, c.width));
    memset(c.pixels, 24, (size_t)c.height * c.width);
    gb_status s = draw_all(&c, ctx, m, title, &slice, &plane);
    if (s == GB_OK) s = gb_png_write(ctx, path, c.pixels, c.width, c.height, 1);
    gb_free(c.pixels);
    return s;
}
