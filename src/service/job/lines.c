/* A worker's words. */
#include <math.h>
#include <stdlib.h>

#include "service/job/job.h"

static gb_status status_named(const char *name) {
    static const struct {
        const char *name;
        gb_status status;
    } all[] = {
#define GB_STATUS(n, value, http, text) {#n, GB_##n},
#include "glovebox/status.def"
#undef GB_STATUS
    };
    for (size_t i = 0; i < GB_COUNT(all); i++)
        if (strcmp(all[i].name, name) == 0 && all[i].status != GB_OK) return all[i].status;
    return GB_ERR_INTERNAL;
}

static void copy_printable(char *out, size_t capacity, const char *text) {
    size_t n = 0;
    for (; text[n] != '\0' && n + 1 < capacity; n++) out[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    out[n] = '\0';
}

/* Decimal digits up to `end`, at most INT64_MAX; *at is left after them. */
static bool read_number(uint64_t *out, const char **at, char end) {
    const char *p = *at;
    uint64_t v = 0;
    if (*p < '0' || *p > '9') return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t d = (uint64_t)(*p - '0');
        if (v > ((uint64_t)INT64_MAX - d) / 10) return false;
        v = v * 10 + d;
    }
    if (*p != end) return false;
    *at = p + (end != '\0');
    *out = v;
    return true;
}

static bool read_progress(gb_job_live *out, const char *at) {
    size_t n = strcspn(at, " ");
    if (n == 0 || n >= sizeof out->stage || at[n] != ' ') return false;
    char stage[GB_JOB_STAGE_MAX];
    memcpy(stage, at, n);
    stage[n] = '\0';
    copy_printable(out->stage, sizeof out->stage, stage);
    at += n + 1;
    if (!read_number(&out->done, &at, ' ') || !read_number(&out->total, &at, '\0')) return false;
    if (out->done > out->total) out->done = out->total;
    return true;
}

gb_worker_line gb_worker_parse(gb_worker_word *out, const char *line) {
    memset(out, 0, sizeof *out);
    if (strncmp(line, "progress ", 9) == 0)
        return read_progress(&out->live, line + 9) ? GB_WORKER_PROGRESS : GB_WORKER_OTHER;
    if (strncmp(line, "done ", 5) == 0) {
        char *end;
        out->seconds = strtod(line + 5, &end);
        bool good = end != line + 5 && *end == '\0' && isfinite(out->seconds) && out->seconds >= 0;
        return good ? GB_WORKER_DONE : GB_WORKER_OTHER;
    }
    if (strncmp(line, "error ", 6) == 0) {
        char name[32] = "";
        const char *text = line + 6 + strcspn(line + 6, " ");
        snprintf(name, sizeof name, "%.*s", (int)gb_min_size((size_t)(text - line - 6), sizeof name), line + 6);
        out->error = status_named(name);
        copy_printable(out->message, sizeof out->message, *text == ' ' ? text + 1 : text);
        return GB_WORKER_ERROR;
    }
    return GB_WORKER_OTHER;
}
