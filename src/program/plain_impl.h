/* program/plain: the body of both plain backends; REAL is float or double, NAME(x) its prefix. Slabs and kept values
 * are arrays [lines][GB_BLOCK]. */

static gb_status NAME(load)(gb_worker *w, const gb_step *s, size_t first, size_t count, void *slab) {
    const gb_plain_job *job = w->walk->job;
    const REAL *in = (const REAL *)job->in[s->def->number] + first * job->rows + w->block * GB_BLOCK;
    REAL *out = slab;
    size_t columns = gb_plain_columns(w);
    for (size_t l = 0; l < count; l++, out += GB_BLOCK) {
        memcpy(out, in + l * job->rows, columns * sizeof(REAL));
        memset(out + columns, 0, (GB_BLOCK - columns) * sizeof(REAL));
    }
    return GB_OK;
}

static gb_status NAME(store)(gb_worker *w, const gb_step *s, size_t first, size_t count, const void *slab) {
    const gb_plain_job *job = w->walk->job;
    REAL *out = (REAL *)job->out[s->def->number] + first * job->rows + w->block * GB_BLOCK;
    const REAL *in = slab;
    size_t columns = gb_plain_columns(w);
    for (size_t l = 0; l < count; l++) memcpy(out + l * job->rows, in + l * GB_BLOCK, columns * sizeof(REAL));
    return GB_OK;
}

static size_t NAME(line_bytes)(const gb_step *s) { return GB_BLOCK * sizeof(REAL); }

static void NAME(keep)(gb_worker *w, const gb_step *s, size_t first, size_t count, void *kept, const void *slab) {
    memcpy((REAL *)kept + first * GB_BLOCK, slab, count * GB_BLOCK * sizeof(REAL));
}

static void NAME(fetch)(gb_worker *w, const gb_step *s, size_t first, size_t count, void *slab, const void *kept) {
    memcpy(slab, (const REAL *)kept + first * GB_BLOCK, count * GB_BLOCK * sizeof(REAL));
}

static void NAME(add)(gb_worker *w, const gb_step *s, size_t count, void *a, const void *b) {
    REAL *x = a;
    const REAL *y = b;
    for (size_t i = 0; i < count * GB_BLOCK; i++) x[i] += y[i];
}

static void NAME(times)(REAL *x, size_t n, double factor) {
    const REAL f = (REAL)factor;
    for (size_t i = 0; i < n; i++) x[i] *= f;
}

static void NAME(scale)(gb_worker *w, const gb_step *s, size_t count, void *x) {
    NAME(times)(x, count * GB_BLOCK, s->def->factor);
}

static void NAME(change)(gb_worker *w, const gb_step *s, size_t count, void *out, const void *in) {
    memcpy(out, in, count * GB_BLOCK * sizeof(REAL));
}

static void NAME(convolve)(gb_worker *w, const gb_step *s, size_t count, void *x) {
    const gb_plain_job *job = w->walk->job;
    const gb_plain_filter *f = &job->filter[s->node];
    const size_t run = s->def->last * GB_BLOCK, padded = GB_BLOCK << f->log_n;
    REAL *work = (REAL *)w->scratch;
    for (size_t at = 0; at < count * GB_BLOCK; at += run) {
        memcpy(work, (REAL *)x + at, run * sizeof(REAL));
        memset(work + run, 0, (padded - run) * sizeof(REAL));
        FILTER(job->fft)(work, f->log_n, f->root, f->response);
        memcpy((REAL *)x + at, work, run * sizeof(REAL));
    }
}

static void NAME(axpy)(REAL *restrict out, const REAL *restrict in, REAL weight) {
    for (size_t c = 0; c < GB_BLOCK; c++) out[c] += weight * in[c];
}

static void NAME(map)(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept) {
    const gb_csr *m = &s->def->map;
    memset(out, 0, count * GB_BLOCK * sizeof(REAL));
    for (size_t r = 0; r < count; r++)
        for (uint64_t e = m->start[first + r]; e < m->start[first + r + 1]; e++) NAME(axpy)
    ((REAL *)out + r * GB_BLOCK, (const REAL *)kept + (size_t)m->index[e] * GB_BLOCK, (REAL)m->weight[e]);
}

/* Largest |value| of each step; partial maxima in lanes, for the compiler's vectors. */
static void NAME(seen)(gb_worker *w, const gb_step *s, size_t count, const void *slab) {
    const REAL *x = slab;
    double *bound = gb_plain_bounds(w) + s->node;
    REAL lane[16] = {0};
    for (size_t i = 0; i < count * GB_BLOCK; i += 16)
        for (size_t k = 0; k < 16; k++) {
            REAL v = x[i + k] < 0 ? -x[i + k] : x[i + k];
            lane[k] = v > lane[k] ? v : lane[k];
        }
    for (size_t k = 0; k < 16; k++) *bound = fmax(*bound, (double)lane[k]);
}

static gb_status NAME(filter_init)(gb_plain_filter *f, gb_ctx *ctx, const gb_op_node *n) {
    const size_t reach = gb_min_size(n->tap_count / 2, n->last - 1), middle = n->tap_count / 2;
    f->log_n = 1;
    while (((size_t)1 << f->log_n) < n->last + reach) f->log_n++;
    const size_t rows = (size_t)1 << f->log_n;
    double *work, *root;
    REAL *r, *h;
    GB_TRY(gb_alloc(&f->root, ctx, 2 * rows, sizeof(REAL)));
    GB_TRY(gb_alloc(&f->response, ctx, 2 * rows, sizeof(REAL)));
    GB_TRY(gb_alloc(&root, ctx, 2 * rows, sizeof *root));
    gb_status s = gb_alloc_zero(&work, ctx, rows, GB_FFT_COLUMNS * sizeof *work);
    if (s == GB_OK) {
        for (size_t k = 0; k < rows; k++) {
            root[2 * k] = cos(2 * M_PI * (double)k / (double)rows);
            root[2 * k + 1] = -sin(2 * M_PI * (double)k / (double)rows);
        }
        for (size_t j = middle - reach; j <= middle + reach; j++) /* shifts are distinct modulo rows >= last + reach */
            work[((rows + j - middle) % rows) * GB_FFT_COLUMNS] += n->taps[j];
        gb_fft_ref.spectrum_f64(work, f->log_n, root);
        r = f->root;
        h = f->response;
        for (size_t k = 0; k < rows; k++) {
            r[2 * k] = (REAL)root[2 * k];
            r[2 * k + 1] = (REAL)root[2 * k + 1];
            h[2 * k] = (REAL)(work[k * GB_FFT_COLUMNS] / (double)rows);
            h[2 * k + 1] = (REAL)(work[k * GB_FFT_COLUMNS + GB_FFT_COLUMNS / 2] / (double)rows);
        }
    }
    gb_free(work);
    gb_free(root);
    return s;
}
