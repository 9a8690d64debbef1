/* kernel/fft: the body, compiled for each instruction set and for float and double (GB_FFT_REAL, GB_FFT_NAME). Radix-4
 * decimation in frequency going down, its mirror image coming back, depth first, so that a block of rows is finished
 * while it is in the nearest cache; loops over the columns of a row are for the compiler's vectors. */
#define HALF (GB_FFT_COLUMNS / 2)

typedef struct GB_FFT_NAME(job) {
    const GB_FFT_REAL *root, *response; /* response NULL: forward only */
    size_t n;
} GB_FFT_NAME(job);

/* Four rows, q apart: a 4-point transform, then the twiddles. */
static void GB_FFT_NAME(down)(GB_FFT_REAL *restrict a, GB_FFT_REAL *restrict b, GB_FFT_REAL *restrict c,
                              GB_FFT_REAL *restrict d, const GB_FFT_REAL *w1, const GB_FFT_REAL *w2,
                              const GB_FFT_REAL *w3) {
    const GB_FFT_REAL r1 = w1[0], i1 = w1[1], r2 = w2[0], i2 = w2[1], r3 = w3[0], i3 = w3[1];
    for (int k = 0; k < HALF; k++) {
        GB_FFT_REAL s0r = a[k] + c[k], s0i = a[HALF + k] + c[HALF + k];
        GB_FFT_REAL s1r = a[k] - c[k], s1i = a[HALF + k] - c[HALF + k];
        GB_FFT_REAL s2r = b[k] + d[k], s2i = b[HALF + k] + d[HALF + k];
        GB_FFT_REAL s3r = b[HALF + k] - d[HALF + k], s3i = d[k] - b[k]; /* -i (b - d) */
        a[k] = s0r + s2r;
        a[HALF + k] = s0i + s2i;
        GB_FFT_REAL xr = s1r + s3r, xi = s1i + s3i;
        b[k] = xr * r1 - xi * i1;
        b[HALF + k] = xr * i1 + xi * r1;
        xr = s0r - s2r, xi = s0i - s2i;
        c[k] = xr * r2 - xi * i2;
        c[HALF + k] = xr * i2 + xi * r2;
        xr = s1r - s3r, xi = s1i - s3i;
        d[k] = xr * r3 - xi * i3;
        d[HALF + k] = xr * i3 + xi * r3;
    }
}

/* The way back: conjugate twiddles, then the 4-point transform's inverse, times 4. */
static void GB_FFT_NAME(up)(GB_FFT_REAL *restrict a, GB_FFT_REAL *restrict b, GB_FFT_REAL *restrict c,
                            GB_FFT_REAL *restrict d, const GB_FFT_REAL *w1, const GB_FFT_REAL *w2,
                            const GB_FFT_REAL *w3) {
    const GB_FFT_REAL r1 = w1[0], i1 = w1[1], r2 = w2[0], i2 = w2[1], r3 = w3[0], i3 = w3[1];
    for (int k = 0; k < HALF; k++) {
        GB_FFT_REAL br = b[k] * r1 + b[HALF + k] * i1, bi = b[HALF + k] * r1 - b[k] * i1;
        GB_FFT_REAL cr = c[k] * r2 + c[HALF + k] * i2, ci = c[HALF + k] * r2 - c[k] * i2;
        GB_FFT_REAL dr = d[k] * r3 + d[HALF + k] * i3, di = d[HALF + k] * r3 - d[k] * i3;
        GB_FFT_REAL s0r = a[k] + cr, s0i = a[HALF + k] + ci, s2r = a[k] - cr, s2i = a[HALF + k] - ci;
        GB_FFT_REAL s1r = br + dr, s1i = bi + di;
        GB_FFT_REAL s3r = di - bi, s3i = br - dr; /* i (b - d) */
        a[k] = s0r + s1r;
        a[HALF + k] = s0i + s1i;
        c[k] = s0r - s1r;
        c[HALF + k] = s0i - s1i;
        b[k] = s2r + s3r;
        b[HALF + k] = s2i + s3i;
        d[k] = s2r - s3r;
        d[HALF + k] = s2i - s3i;
    }
}

static void GB_FFT_NAME(pair)(GB_FFT_REAL *restrict a, GB_FFT_REAL *restrict b) {
    for (int k = 0; k < GB_FFT_COLUMNS; k++) {
        GB_FFT_REAL s = a[k] + b[k];
        b[k] = a[k] - b[k];
        a[k] = s;
    }
}

static void GB_FFT_NAME(times)(GB_FFT_REAL *restrict x, const GB_FFT_REAL *h) {
    const GB_FFT_REAL hr = h[0], hi = h[1];
    for (int k = 0; k < HALF; k++) {
        GB_FFT_REAL re = x[k] * hr - x[HALF + k] * hi;
        x[HALF + k] = x[k] * hi + x[HALF + k] * hr;
        x[k] = re;
    }
}

/* Rows [row, row + m) of x. */
static void GB_FFT_NAME(walk)(const GB_FFT_NAME(job) * job, GB_FFT_REAL *x, size_t row, size_t m) {
    GB_FFT_REAL *at = x + row * GB_FFT_COLUMNS;
    if (m == 1) {
        if (job->response) GB_FFT_NAME(times)(at, job->response + 2 * row);
        return;
    }
    if (m == 2) {
        GB_FFT_NAME(pair)(at, at + GB_FFT_COLUMNS);
        if (!job->response) return;
        GB_FFT_NAME(times)(at, job->response + 2 * row);
        GB_FFT_NAME(times)(at + GB_FFT_COLUMNS, job->response + 2 * row + 2);
        GB_FFT_NAME(pair)(at, at + GB_FFT_COLUMNS);
        return;
    }
    const size_t q = m / 4, step = job->n / m * 2, gap = q * GB_FFT_COLUMNS;
    for (size_t j = 0; j < q; j++) {
        GB_FFT_REAL *a = at + j * GB_FFT_COLUMNS;
        const GB_FFT_REAL *w = job->root + j * step;
        GB_FFT_NAME(down)(a, a + gap, a + 2 * gap, a + 3 * gap, w, w + j * step, w + 2 * j * step);
    }
    for (size_t part = 0; part < 4; part++) GB_FFT_NAME(walk)(job, x, row + part * q, q);
    if (!job->response) return;
    for (size_t j = 0; j < q; j++) {
        GB_FFT_REAL *a = at + j * GB_FFT_COLUMNS;
        const GB_FFT_REAL *w = job->root + j * step;
        GB_FFT_NAME(up)(a, a + gap, a + 2 * gap, a + 3 * gap, w, w + j * step, w + 2 * j * step);
    }
}

static void GB_FFT_NAME(filter)(GB_FFT_REAL *x, unsigned log_n, const GB_FFT_REAL *root, const GB_FFT_REAL *response) {
    const GB_FFT_NAME(job) job = {root, response, (size_t)1 << log_n};
    GB_FFT_NAME(walk)(&job, x, 0, job.n);
}

#undef HALF
