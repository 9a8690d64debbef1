/* The table entries of a vector variant, compiled with its instruction set: included once by its file, after `ops`. */
#ifndef GB_GATHER_ENTRIES_H
#define GB_GATHER_ENTRIES_H

#include "kernel/gather_impl.h"

static void gather_f32(float *out, const float *in, size_t width, size_t k0, size_t k1, const gb_gather_plan *p,
                       void *scratch) {
    gb_gather_walk_f32(&ops, out, in, width, k0, k1, p, scratch);
}

static void gather_f64(double *out, const double *in, size_t width, size_t k0, size_t k1, const gb_gather_plan *p,
                       void *scratch) {
    gb_gather_f64_body(out, in, width, k0, k1, p);
}

static void gather_digits(uint64_t *out, const int16_t *in, size_t width, unsigned parts, unsigned bits, size_t k0,
                          size_t k1, const gb_gather_plan *p, void *scratch) {
    gb_gather_walk_int(&ops, out, in, width, parts, bits, k0, k1, p, scratch);
}

static void scatter_f32(float *out, const float *in, size_t width, size_t t0, size_t t1, size_t k0, size_t k1,
                        const gb_gather_plan *p) {
    gb_scatter_body((char *)out, (const char *)in, width, width * sizeof *out, t0, t1, k0, k1, p, gb_scatter_add_f32);
}

static void scatter_f64(double *out, const double *in, size_t width, size_t t0, size_t t1, size_t k0, size_t k1,
                        const gb_gather_plan *p) {
    gb_scatter_body((char *)out, (const char *)in, width, width * sizeof *out, t0, t1, k0, k1, p, gb_scatter_add_f64);
}

static void scatter_u64(uint64_t *out, const uint64_t *in, size_t width, size_t t0, size_t t1, size_t k0, size_t k1,
                        const gb_gather_plan *p) {
    gb_scatter_body((char *)out, (const char *)in, width, width * sizeof *out, t0, t1, k0, k1, p, gb_scatter_add_u64);
}

#endif
