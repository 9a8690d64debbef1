/* Health, workspaces, and what is given to a workspace by name: key sets and programs. */
#include "service/api/api.h"

gb_status gb_api_health(gb_http_request *r) {
    return gb_api_json(r, 200, json_pack("{s:s, s:s}", "status", "ok", "version", gb_version()));
}

/* Appends to the array of a list reply. */
static gb_status append(void *list, json_t *item) {
    return item != NULL && json_array_append_new(list, item) == 0 ? GB_OK : GB_ERR_MEMORY;
}

static gb_status append_workspace(void *list, const gb_workspace_row *row) {
    return append(list, gb_json_workspace(row));
}

gb_status gb_api_workspace_list(gb_http_request *r) {
    gb_api *a = r->app;
    json_t *list = json_array();
    gb_status status = gb_meta_workspace_each(a->meta, r->ctx, append_workspace, list);
    if (status == GB_OK) return gb_api_json(r, 200, json_pack("{s:o}", "workspaces", list));
    json_decref(list);
    return status;
}

gb_status gb_api_workspace_make(gb_http_request *r) {
    gb_api *a = r->app;
    json_t *body;
    gb_workspace_row row;
    bool made;
    char name[GB_LABEL_MAX + 1];
    GB_TRY(gb_api_object(&body, r->ctx, r->body.data, r->body.size));
    const char *text = json_string_value(json_object_get(body, "name"));
    gb_status status = text != NULL && text[0] != '\0'
                           ? gb_api_label(name, r->ctx, text, "name")
                           : gb_fail(r->ctx, GB_ERR_ARGUMENT, "name: a string that is not empty is needed");
    json_decref(body);
    GB_TRY(status);
    GB_TRY(gb_meta_workspace_make(&row, &made, a->meta, r->ctx, name));
    return gb_api_json(r, made ? 201 : 200, gb_json_workspace(&row));
}

/* ---- key sets ---- */

static gb_status append_keyset(void *list, const gb_named_row *row) { return append(list, gb_json_named(row, true)); }

gb_status gb_api_keyset_list(gb_http_request *r) {
    gb_api *a = r->app;
    gb_id workspace;
    GB_TRY(gb_api_id(&workspace, r, 0, "workspace"));
    json_t *list = json_array();
    gb_status status = gb_meta_named_each(a->meta, r->ctx, &workspace, GB_NAMED_KEYSET, append_keyset, list);
    if (status == GB_OK) return gb_api_json(r, 200, json_pack("{s:o}", "keysets", list));
    json_decref(list);
    return status;
}

/* The body, sealed and found good, becomes the named object. */
static gb_status keep_named(gb_named_row *row, bool *made, gb_http_request *r, const gb_id *workspace,
                            gb_named_kind kind) {
    gb_api *a = r->app;
    gb_store_put *put = r->state;
    gb_publish publish = {gb_store_publish, put};
    row->object = put->hash;
    row->bytes = put->size;
    return gb_meta_named_add(row, made, a->meta, r->ctx, workspace, kind, &publish);
}

gb_status gb_api_keyset_put(gb_http_request *r) {
    gb_id workspace;
    gb_named_row row = {.bytes = 0};
    gb_keyset *keyset = NULL;
    const uint8_t *data;
    bool made;
    GB_TRY(gb_api_id(&workspace, r, 0, "workspace"));
    GB_TRY(gb_api_hash(&row.name, r->ctx, r->args[1], "key set id"));
    GB_TRY(gb_api_spool_sealed(&data, r));
    gb_store_put *put = r->state;
    gb_status status = gb_keyset_decode(&keyset, r->ctx, data, put->size);
    gb_store_put_unmap(put, data);
    if (status == GB_OK && !gb_hash_equal(gb_keyset_id(keyset), &row.name))
        status = gb_fail(r->ctx, GB_ERR_KEY, "key set: the body is of another id than the address says");
    gb_keyset_free(keyset);
    GB_TRY(status);
    GB_TRY(keep_named(&row, &made, r, &workspace, GB_NAMED_KEYSET));
    return gb_api_json(r, made ? 201 : 200, gb_json_named(&row, true));
}

gb_status gb_api_keyset_get(gb_http_request *r) {
    gb_api *a = r->app;
    gb_id workspace;
    gb_hash name;
    gb_named_row row;
    GB_TRY(gb_api_id(&workspace, r, 0, "workspace"));
    GB_TRY(gb_api_hash(&name, r->ctx, r->args[1], "key set id"));
    GB_TRY(gb_meta_named_get(&row, a->meta, r->ctx, &workspace, GB_NAMED_KEYSET, &name));
    return gb_api_send_object(r, &row.object);
}

/* ---- programs ---- */

gb_status gb_api_program_put(gb_http_request *r) {
    gb_id workspace;
    gb_named_row row = {.bytes = 0};
    gb_program *program = NULL;
    const uint8_t *data;
    bool made;
    GB_TRY(gb_api_id(&workspace, r, 0, "workspace"));
    GB_TRY(gb_api_spool_sealed(&data, r));
    gb_store_put *put = r->state;
    gb_status status = gb_program_decode(&program, r->ctx, data, put->size);
    gb_store_put_unmap(put, data);
    gb_program_free(program);
    GB_TRY(status);
    row.name = put->hash;
    GB_TRY(keep_named(&row, &made, r, &workspace, GB_NAMED_PROGRAM));
    return gb_api_json(r, made ? 201 : 200, gb_json_named(&row, false));
}
