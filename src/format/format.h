/* format: files of the user's instruments to arrays and back. Runs on the user's machine only: the service links none
 * of it. Everything read is untrusted: sizes are checked before allocation and against the file's length.
 *
 * Image stacks are arrays [z][y][x] of float, x fastest, in the file's own order: z = section (image of a tilt series,
 * slice of a volume), row y = 0 first. All numbers of pixels and sections, in errors too, start at 0. */
#ifndef GB_FORMAT_H
#define GB_FORMAT_H

#include "base/base.h"

/* How a file stores a pixel. */
typedef enum gb_sample {
    GB_SAMPLE_I8 = 0,
    GB_SAMPLE_U8,
    GB_SAMPLE_I16,
    GB_SAMPLE_U16,
    GB_SAMPLE_F16,
    GB_SAMPLE_F32
} gb_sample;
size_t gb_sample_bytes(gb_sample s);
const char *gb_sample_name(gb_sample s); /* "int8", "uint8", "int16", "uint16", "float16", "float32" */

typedef struct gb_image_info {
    const char *format;         /* name in the table of formats, "mrc" */
    uint32_t nx, ny, nz;        /* each in 1..2^24; nx * ny <= 2^30; nx * ny * nz * sample bytes < 2^62 */
    gb_sample sample;           /* raw bytes of the data: nx * ny * nz * gb_sample_bytes(sample) */
    double pixel[3];            /* size of a pixel along x, y, z in angstrom; 0: not given */
    double origin[3];           /* as the header says, angstrom */
    bool has_stats;             /* the header's statistics are set and finite */
    double min, max, mean, rms; /* of the header; rms is the deviation from the mean */
    bool swapped;               /* the file's byte order is not this machine's */
    uint64_t offset;            /* of the first pixel in the file */
    uint64_t file_bytes;        /* length of the file */
} gb_image_info;

/* What to do with a pixel that is not finite (NaN or infinite). */
typedef enum gb_nan {
    GB_NAN_REFUSE = 0, /* the read fails with GB_ERR_RANGE and names section, y and x */
    GB_NAN_MEAN = 1    /* replaced with the mean of the finite pixels of its section (0 when there is none) */
} gb_nan;

/* ---- reading image stacks: image.c. Memory: two rows of pixels, whatever the file's size ---- */
typedef struct gb_image gb_image; /* an open file; one thread at a time */
/* Finds the format by content, reads and checks the header. *out is NULL on error; free with gb_image_close.
 * Errors: NOT_FOUND, IO, UNSUPPORTED (no known format, or a mode that is not 0, 1, 2, 6, 12), FORMAT (a header that
 * contradicts itself), LIMIT (dimensions over those of gb_image_info), TRUNCATED (the file is shorter than the header
 * says; the sentence has expected and found bytes). A longer file is read, with a warning in the log, as mrcfile does.
 */
GB_CHECK gb_status gb_image_open(gb_image **out, gb_ctx *ctx, const char *path, gb_nan nan);
/* The same from a seekable stream; name appears in errors. Takes the stream over: it is closed on error too. */
GB_CHECK gb_status gb_image_open_stream(gb_image **out, gb_ctx *ctx, FILE *stream, const char *name, gb_nan nan);
const gb_image_info *gb_image_get_info(const gb_image *image); /* valid until close */
/* Sections [z0, z0 + cz), rows [y0, y0 + cy) of each, all nx columns, into out[cz][cy][nx]. Boxes may be read in any
 * order and again. Errors: ARGUMENT (outside), TRUNCATED, IO, RANGE (see gb_nan; out is then undefined). */
GB_CHECK gb_status gb_image_read(float *out, gb_ctx *ctx, gb_image *image, uint32_t z0, uint32_t cz, uint32_t y0,
                                 uint32_t cy);
/* How many pixels reads have replaced since open (each time they were read). */
uint64_t gb_image_replaced(const gb_image *image);
void gb_image_close(gb_image *image); /* NULL is allowed */

/* ---- writing MRC: mrc/mrc_write.c ---- */
typedef struct gb_mrc_spec {
    uint32_t nx, ny, nz;
    gb_sample sample;       /* F32 (mode 2), I16 (1), U16 (6), F16 (12) or I8 (0, signed) */
    double pixel[3];        /* angstrom along x, y, z, >= 0; 0: not given */
    double origin[3];       /* angstrom */
    bool volume;            /* true: one volume (ISPG 1, MZ = nz); false: a stack of images (ISPG 0, MZ = 1) */
    const char *labels[10]; /* printable ASCII, cut at 79 characters; ends at the first NULL */
} gb_mrc_spec;
typedef struct gb_mrc_writer gb_mrc_writer;
/* Opens a temporary file beside path and reserves the file's whole length, so that a full disk shows at once. *out is
 * NULL on error; the writer then belongs to gb_mrc_finish or gb_mrc_abandon. Errors: ARGUMENT, LIMIT, IO, SPACE. */
GB_CHECK gb_status gb_mrc_create(gb_mrc_writer **out, gb_ctx *ctx, const char *path, const gb_mrc_spec *spec);
/* The box of gb_image_read, the other way. Every pixel must be written exactly once, in boxes of any order: sections
 * one by one, or row k of every section (cz = nz, y0 = k, cy = 1). Integer modes round to nearest, ties to even.
 * Errors: ARGUMENT (outside), RANGE (not finite, or does not fit the sample: names section, y, x), IO, SPACE. */
GB_CHECK gb_status gb_mrc_write(gb_ctx *ctx, gb_mrc_writer *w, const float *data, uint32_t z0, uint32_t cz, uint32_t y0,
                                uint32_t cy);
/* Writes the header (min, max, mean, rms of what was stored), fsyncs and renames into place. Frees w in any case; on
 * error nothing is left behind and an older file of that name is untouched. Errors: STATE (pixels missing), IO, SPACE.
 */
GB_CHECK gb_status gb_mrc_finish(gb_ctx *ctx, gb_mrc_writer *w);
void gb_mrc_abandon(gb_mrc_writer *w); /* removes the temporary file and frees w; NULL is allowed */

/* ---- tilt angles: tilt/ ---- */
typedef struct gb_tilts {
    size_t count;
    double *angles;    /* degrees, -180..180, in the order of the images in the stack; owned by the struct */
    bool has_axis;     /* the .mdoc names the tilt axis angle */
    double axis;       /* degrees from the image's y axis, counter-clockwise, as SerialEM writes it */
    double pixel;      /* angstrom, 0: not given */
    uint32_t image[2]; /* ImageSize x, y of the .mdoc; 0: not given */
} gb_tilts;
/* .rawtlt and .tlt: one angle a line, blank lines allowed. .mdoc: [ZValue = n] sections, put into the order of n, which
 * must run from 0 without a gap or a repeat. The format is found by content, whatever the name. images: how many images
 * the stack has; 0: do not check. Errors: NOT_FOUND, IO, FORMAT (with the line's number), RANGE (an angle outside
 * +-180), PARAMS (count differs: the sentence has both counts), LIMIT (file over 64 MiB, over 2^20 angles).
 * *out is all zero on error; drop with gb_tilts_release. */
GB_CHECK gb_status gb_tilts_read(gb_tilts *out, gb_ctx *ctx, const char *path, size_t images);
GB_CHECK gb_status gb_tilts_parse(gb_tilts *out, gb_ctx *ctx, const char *name, const char *text, size_t n,
                                  size_t images);
void gb_tilts_release(gb_tilts *t);

/* ---- pictures: png/png.c. Written whole or not at all ---- */
/* channels: 1 (grey) or 3 (RGB), 8 bits each, rows top first, no padding. width, height in 1..32767.
 * Errors: ARGUMENT, IO, SPACE, MEMORY. */
GB_CHECK gb_status gb_png_write(gb_ctx *ctx, const char *path, const uint8_t *pixels, uint32_t width, uint32_t height,
                                unsigned channels);
/* out[i] = 255 * (in[i] - min) / (max - min), rounded and clamped; NaN and an empty range give 0. */
void gb_png_grey(uint8_t *out, const float *in, size_t n, double min, double max);

/* ---- the table of formats: format.c ---- */
typedef struct gb_image_source gb_image_source; /* a format's own state of an open file */
/* One format: what it recognises and what it can do with it; NULL where it cannot. To add one: a folder, this struct in
 * it, one line in format.c, a test, a fuzz target with a corpus, a paragraph in docs. */
typedef struct gb_filetype {
    const char *name, *summary;
    /* Whether a file that begins with these n bytes (n <= GB_PROBE_BYTES, the whole file when shorter) is of this
     * format; file_bytes is its length. Never fails, allocates nothing. */
    bool (*probe)(const uint8_t *head, size_t n, uint64_t file_bytes);
    /* Reads and checks the header; the stream stays owned by the caller. name is for errors. */
    gb_status (*open)(gb_image_source **out, gb_image_info *info, gb_ctx *ctx, FILE *stream, const char *name,
                      uint64_t file_bytes);
    /* Row y of section z as float, unchecked for NaN; z < nz, y < ny. */
    gb_status (*read_row)(float *out, gb_ctx *ctx, gb_image_source *source, uint32_t z, uint32_t y);
    void (*close)(gb_image_source *source); /* NULL is allowed */
    /* Whole text to angles; see gb_tilts_parse. */
    gb_status (*tilts)(gb_tilts *out, gb_ctx *ctx, const char *name, const char *text, size_t n);
} gb_filetype;
#define GB_PROBE_BYTES 4096
/* Format number i, NULL past the end; and the first that recognises the bytes, NULL when none does. */
const gb_filetype *gb_filetype_at(size_t i);
const gb_filetype *gb_filetype_find(const uint8_t *head, size_t n, uint64_t file_bytes);

#endif
