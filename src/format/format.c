/* The table of formats. Order matters: binary formats with a magic first, the laxest text format last. */
#include "format/format.h"
#include "format/filetypes.h"

static const gb_filetype *const filetypes[] = {
    &gb_filetype_mrc,
    &gb_filetype_mdoc,
    &gb_filetype_tlt,
};

const gb_filetype *gb_filetype_at(size_t i) { return i < GB_COUNT(filetypes) ? filetypes[i] : NULL; }

const gb_filetype *gb_filetype_find(const uint8_t *head, size_t n, uint64_t file_bytes) {
    for (size_t i = 0; i < GB_COUNT(filetypes); i++)
        if (filetypes[i]->probe(head, n, file_bytes)) return filetypes[i];
    return NULL;
}

static const struct {
    const char *name;
    size_t bytes;
} samples[] = {
    [GB_SAMPLE_I8] = {"int8", 1},    [GB_SAMPLE_U8] = {"uint8", 1},    [GB_SAMPLE_I16] = {"int16", 2},
    [GB_SAMPLE_U16] = {"uint16", 2}, [GB_SAMPLE_F16] = {"float16", 2}, [GB_SAMPLE_F32] = {"float32", 4},
};

size_t gb_sample_bytes(gb_sample s) { return (unsigned)s < GB_COUNT(samples) ? samples[s].bytes : 0; }
const char *gb_sample_name(gb_sample s) { return (unsigned)s < GB_COUNT(samples) ? samples[s].name : "unknown"; }
