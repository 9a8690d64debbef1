/* client/report: a reconstruction's figures as JSON. */
#include "client/report.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

/* "model name" of /proc/cpuinfo, or the machine's kind where there is none. */
static void cpu_model(char *out, size_t capacity) {
    struct utsname u;
    gb_copy_text(out, capacity, uname(&u) == 0 ? u.machine : "unknown");
    FILE *f = fopen("/proc/cpuinfo", "re");
    if (!f) return;
    char line[512];
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "model name", 10) != 0) continue;
        char *colon = strchr(line, ':');
        if (!colon) break;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = 0;
        gb_copy_text(out, capacity, colon);
        break;
    }
    (void)fclose(f);
}

/* A figure that was not measured is null. */
static json_t *figure(double v) { return v >= 0 ? json_real(v) : json_null(); }

static json_t *seconds_of(const gb_report *r) {
    return json_pack("{s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "read", r->seconds_read, "align", r->seconds_align,
                     "measure", r->seconds_measure, "encrypt", r->seconds_encrypt, "compute", r->seconds_compute,
                     "decrypt", r->seconds_decrypt, "write", r->seconds_write, "compare", r->seconds_compare, "total",
                     r->seconds_total);
}

static json_t *object_of(const gb_report *r) {
    char model[256];
    cpu_model(model, sizeof model);
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:[i,i,i],s:[i,i,i],s:i,s:I,s:I,s:I}", "version", gb_version(), "where",
                          r->where, "precision", r->precision, "params", r->params, "series", (int)r->nx, (int)r->ny,
                          (int)r->tilts, "volume", (int)r->volume_x, (int)r->volume_y, (int)r->volume_z, "copies",
                          (int)r->copies, "bytes_raw", (json_int_t)r->bytes_raw, "bytes_uploaded",
                          (json_int_t)r->bytes_uploaded, "bytes_downloaded", (json_int_t)r->bytes_downloaded);
    if (!o) return NULL;
    int bad = json_object_set_new(o, "relative_rms_error", figure(r->relative_rms_error));
    bad |= json_object_set_new(o, "predicted_rms_error", figure(r->predicted_rms_error));
    bad |= json_object_set_new(o, "plain_seconds", figure(r->plain_seconds));
    bad |= json_object_set_new(o, "encrypted_seconds", figure(r->encrypted_seconds));
    bad |= json_object_set_new(o, "ratio", figure(r->ratio));
    bad |= json_object_set_new(o, "rows_used", json_integer((json_int_t)r->rows));
    bad |= json_object_set_new(o, "rows_room", json_integer((json_int_t)r->room));
    bad |= json_object_set_new(o, "job_threads", json_integer((json_int_t)r->job_threads));
    bad |= json_object_set_new(o, "seconds", seconds_of(r));
    bad |= json_object_set_new(o, "pixels_replaced", json_integer((json_int_t)r->pixels_replaced));
    bad |= json_object_set_new(
        o, "machine", json_pack("{s:s,s:i,s:i}", "cpu", model, "cores", (int)cores, "threads", (int)r->threads));
    if (*r->dataset) bad |= json_object_set_new(o, "dataset", json_string(r->dataset));
    if (*r->result) bad |= json_object_set_new(o, "result", json_string(r->result));
    if (*r->job) bad |= json_object_set_new(o, "job", json_string(r->job));
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

static gb_status text_of(char **out, gb_client *c, const gb_report *r, size_t flags) {
    json_t *o = object_of(r);
    *out = o ? json_dumps(o, flags | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(o);
    return *out ? GB_OK : gb_fail(c->ctx, GB_ERR_MEMORY, "out of memory for the report");
}

gb_status gb_report_json(char **out, gb_client *c, const gb_report *report) {
    return text_of(out, c, report, JSON_COMPACT);
}

void gb_text_free(char *text) { free(text); }

gb_status gb_report_write(gb_client *c, const gb_report *report, const char *path) {
    char *text;
    GB_TRY(text_of(&text, c, report, JSON_INDENT(2)));
    char *line = gb_format(c->ctx, "%s\n", text);
    const gb_status s = line ? gb_file_write(c->ctx, path, line, strlen(line), 0644) : gb_ctx_status(c->ctx);
    gb_free(line);
    free(text);
    return s;
}
