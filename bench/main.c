/* glovebox-bench [GROUP...] [--json FILE] [--quick]: runs the groups named (all, without a name), prints a table and
 * writes the records {name, value, unit, parameters, isa, threads, peer} as a JSON array. */
#include <stdlib.h>
#include <time.h>

#include "bench/bench.h"

#define MAX_CASES 16
#define ROUNDS 15

struct gb_bench {
    gb_ctx *ctx;
    FILE *json; /* NULL: none */
    bool quick;
    size_t records;
    char *texts[1024];
    size_t text_count;
};

bool gb_bench_quick(const gb_bench *b) { return b->quick; }

const char *gb_bench_text(gb_bench *b, const char *format, ...) {
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (b->text_count == GB_COUNT(b->texts)) return "";
    char *copy = gb_strdup(b->ctx, line);
    if (!copy) return "";
    return b->texts[b->text_count++] = copy;
}

static void json_string(FILE *f, const char *key, const char *value, const char *end) {
    fprintf(f, "\"%s\": \"", key);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\') fputc('\\', f);
        if ((unsigned char)*value >= ' ') fputc(*value, f);
    }
    fprintf(f, "\"%s", end);
}

void gb_bench_add(gb_bench *b, const char *name, double value, const char *unit, const char *parameters,
                  const char *isa, unsigned threads, const char *peer) {
    printf("%-24s %-26s %-5s %12.4g %-16s%s%s\n", name, parameters, isa, value, unit, *peer ? " against " : "", peer);
    fflush(stdout);
    if (!b->json) return;
    fprintf(b->json, "%s\n  {", b->records++ ? "," : "");
    json_string(b->json, "name", name, ", ");
    fprintf(b->json, "\"value\": %.9g, ", value);
    json_string(b->json, "unit", unit, ", ");
    json_string(b->json, "parameters", parameters, ", ");
    json_string(b->json, "isa", isa, ", ");
    fprintf(b->json, "\"threads\": %u, ", threads);
    json_string(b->json, "peer", peer, "}");
}

static double clock_of(const gb_bench_case *c) {
    if (!c->cpu_time) return gb_seconds();
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of one call, over as many calls as make 2 ms. */
static double time_turn(const gb_bench_case *c) {
    const double start = clock_of(c);
    double now;
    size_t calls = 0;
    do {
        c->run(c->user);
        calls++;
        now = clock_of(c);
    } while (now - start < 2e-3);
    return (now - start) / (double)calls;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void gb_bench_run(gb_bench *b, gb_bench_case *cases, size_t count) {
    double turn[MAX_CASES][ROUNDS];
    size_t rounds = b->quick ? 3 : ROUNDS;
    if (count > MAX_CASES) count = MAX_CASES;
    for (size_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < count; i++) {
            turn[i][r] = time_turn(&cases[i]);
            if (r == 0 && turn[i][r] > 50e-3) rounds = gb_min_size(rounds, turn[i][r] > 1 ? 3 : 5);
        }
    for (size_t i = 0; i < count; i++) {
        gb_bench_case *c = &cases[i];
        qsort(turn[i], rounds, sizeof turn[i][0], by_value);
        c->seconds = turn[i][rounds / 2];
        gb_bench_add(b, c->name, c->seconds * c->per_second, c->unit, c->parameters, c->isa, c->threads, c->peer);
    }
}

static const struct group {
    const char *name, *what;
    gb_bench_group_fn run;
} groups[] = {
#define BENCH_GROUP(name, what) {#name, what, bench_##name},
#include "bench/groups.def"
#undef BENCH_GROUP
};

static int usage(void) {
    fprintf(stderr, "usage: glovebox-bench [GROUP...] [--json FILE] [--quick]\ngroups:\n");
    for (size_t i = 0; i < GB_COUNT(groups); i++) fprintf(stderr, "  %-10s %s\n", groups[i].name, groups[i].what);
    return 2;
}

static const struct group *find_group(const char *name) {
    for (size_t g = 0; g < GB_COUNT(groups); g++)
        if (strcmp(groups[g].name, name) == 0) return &groups[g];
    return NULL;
}

static int run_groups(gb_bench *b, const bool *wanted) {
    for (size_t g = 0; g < GB_COUNT(groups); g++) {
        if (!wanted[g]) continue;
        printf("-- %s: %s\n", groups[g].name, groups[g].what);
        if (groups[g].run(b, b->ctx) != GB_OK) {
            fprintf(stderr, "glovebox-bench: %s: %s\n", groups[g].name, gb_ctx_error(b->ctx));
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    static gb_bench b;
    bool wanted[GB_COUNT(groups)] = {false}, any = false;
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        const struct group *g = find_group(argv[i]);
        if (g)
            wanted[g - groups] = any = true;
        else if (strcmp(argv[i], "--quick") == 0)
            b.quick = true;
        else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc)
            path = argv[++i];
        else
            return usage();
    }
    for (size_t g = 0; g < GB_COUNT(groups); g++) wanted[g] |= !any;
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    if (gb_ctx_new(&b.ctx, &config) != GB_OK) {
        fprintf(stderr, "glovebox-bench: no context: out of memory, or an unknown set in GLOVEBOX_CPU\n");
        return 1;
    }
    if (path && !(b.json = fopen(path, "w"))) {
        fprintf(stderr, "glovebox-bench: %s: cannot be written\n", path);
        gb_ctx_free(b.ctx);
        return 1;
    }
    if (b.json) fputc('[', b.json);
    int code = run_groups(&b, wanted);
    if (b.json) {
        fputs("\n]\n", b.json);
        if (fclose(b.json) != 0) code = 1;
    }
    for (size_t i = 0; i < b.text_count; i++) gb_free(b.texts[i]);
    gb_ctx_free(b.ctx);
    return code;
}
