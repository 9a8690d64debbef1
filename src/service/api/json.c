/* Rows as JSON, and the body of a job. */
#include "service/api/api.h"

typedef struct hex {
    char s[2 * GB_HASH_BYTES + 1];
} hex;

static hex hex_of(const gb_hash *h) {
    hex x;
    gb_hex(x.s, h->b, GB_HASH_BYTES);
    return x;
}

json_t *gb_json_workspace(const gb_workspace_row *row) {
    return json_pack("{s:s, s:s, s:f}", "id", row->id.s, "name", row->name, "created", row->created);
}

json_t *gb_json_named(const gb_named_row *row, bool created) {
    hex name = hex_of(&row->name);
    json_t *out = json_pack("{s:s, s:I}", "id", name.s, "bytes", (json_int_t)row->bytes);
    if (out != NULL && created) (void)json_object_set_new(out, "created", json_real(row->created));
    return out;
}

json_t *gb_json_dataset(const gb_dataset_row *row) {
    hex key = hex_of(&row->keyset);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:s, s:s}", "id", row->id.s, "workspace",
                     row->workspace.s, "label", row->label, "state", gb_dataset_state_name(row->state), "kind",
                     row->result ? "result" : "upload", "tiles", (json_int_t)row->tiles, "received",
                     (json_int_t)row->received, "bytes", (json_int_t)row->bytes, "created", row->created, "keyset",
                     key.s, "nonce", row->nonce);
}

static json_t *id_list(const gb_id *ids, size_t n) {
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < n; i++)
        if (json_array_append_new(list, json_string(ids[i].s)) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static json_t *time_or_null(double t) { return t > 0 ? json_real(t) : json_null(); }

json_t *gb_json_job(const gb_job_row *row, const gb_job_live *live) {
    hex program = hex_of(&row->program);
    gb_job_live shown = {{0}, 0, 0};
    if (row->state == GB_JOB_RUNNING) shown = *live;
    if (row->state == GB_JOB_DONE) shown = (gb_job_live){"done", 1, 1};
    json_t *error = row->error == GB_OK
                        ? json_null()
                        : json_pack("{s:s, s:s}", "code", gb_status_name(row->error), "message", row->message);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:I, s:s, s:s, s:I, s:I, s:o, s:o, s:f, s:o, s:o, s:f, s:I, s:I}",
                     "id", row->id.s, "workspace", row->workspace.s, "label", row->label, "program", program.s,
                     "inputs", id_list(row->inputs, row->input_count), "precision",
                     row->precision == GB_PRECISION_HIGH ? "high" : "default", "copies", (json_int_t)row->copies,
                     "state", gb_job_state_name(row->state), "stage", shown.stage, "done", (json_int_t)shown.done,
                     "total", (json_int_t)shown.total, "outputs", id_list(row->outputs, row->output_count), "error",
                     error, "created", row->created, "started", time_or_null(row->started), "finished",
                     time_or_null(row->finished), "seconds", row->seconds, "threads", (json_int_t)row->threads,
                     "attempts", (json_int_t)row->attempts);
}

/* ---- the body of a job ---- */

static gb_status read_inputs(gb_job_row *out, gb_ctx *ctx, const json_t *list) {
    size_t n = json_array_size(list);
    if (n < 1 || n > GB_JOB_INPUTS)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "inputs: an array of 1 to %d dataset ids is needed", GB_JOB_INPUTS);
    for (size_t i = 0; i < n; i++)
        if (!gb_id_parse(&out->inputs[i], json_string_value(json_array_get(list, i))))
            return gb_fail(ctx, GB_ERR_ARGUMENT, "inputs: number %zu is not a dataset id", i);
    out->input_count = n;
    return GB_OK;
}

static gb_status read_members(gb_job_row *out, gb_ctx *ctx, const json_t *body) {
    static const char *const known[] = {"program", "inputs", "precision", "copies", "label"};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)body, name, value) {
        size_t i = 0;
        while (i < GB_COUNT(known) && strcmp(known[i], name) != 0) i++;
        if (i == GB_COUNT(known)) return gb_fail(ctx, GB_ERR_ARGUMENT, "%.40s: unknown member of a job", name);
    }
    GB_TRY(gb_api_hash(&out->program, ctx, json_string_value(json_object_get(body, "program")), "program"));
    GB_TRY(read_inputs(out, ctx, json_object_get(body, "inputs")));
    const json_t *precision = json_object_get(body, "precision");
    const char *word = json_is_string(precision) ? json_string_value(precision) : "";
    if (precision != NULL && strcmp(word, "default") != 0 && strcmp(word, "high") != 0)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "precision: \"default\" or \"high\"");
    out->precision = strcmp(word, "high") == 0 ? GB_PRECISION_HIGH : GB_PRECISION_DEFAULT;
    const json_t *copies = json_object_get(body, "copies");
    json_int_t count = copies != NULL ? json_integer_value(copies) : 1;
    if ((copies != NULL && !json_is_integer(copies)) || count < 1 || count > 1024)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "copies: an integer from 1 to 1024 is needed");
    out->copies = (uint32_t)count;
    const json_t *label = json_object_get(body, "label");
    if (label != NULL && !json_is_string(label)) return gb_fail(ctx, GB_ERR_ARGUMENT, "label: a string is needed");
    return gb_api_label(out->label, ctx, json_string_value(label), "label");
}

gb_status gb_json_read_job(gb_job_row *out, gb_ctx *ctx, const void *body, size_t n) {
    json_t *object;
    memset(out, 0, sizeof *out);
    GB_TRY(gb_api_object(&object, ctx, body, n));
    gb_status status = read_members(out, ctx, object);
    json_decref(object);
    return status;
}
