/* glovebox put|list|get|remove: encrypted stacks at the server */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_dataset(const cli *c, const gb_dataset_info *d) {
    if (c->json) {
        cli_json("id", 's', d->id, "name", 's', d->name, "state", 's', d->state, "kind", 's', d->kind, "key", 's',
                 d->key, "created", 's', d->created, "tiles", 'u', d->tiles, "received", 'u', d->received, "bytes", 'u',
                 d->bytes, NULL);
        return;
    }
    char size[32];
    cli_bytes(size, d->bytes);
    printf("%s  %-10s %-7s %10s  %s  %s\n", d->id, d->state, d->kind, size, d->created, *d->name ? d->name : "-");
}

static int run_put(cli *c, int argc, char **argv) {
    gb_put_options o;
    gb_put_options_defaults(&o);
    const char *nan = "refuse";
    const cli_option options[] = {
        {"key", 0, CLI_TEXT, &o.key, "NAME", "key to encrypt under (the only one that fits)"},
        {"name", 0, CLI_TEXT, &o.name, "TEXT", "name of the dataset, kept encrypted (the file's name)"},
        {"precision", 0, CLI_TEXT, &o.precision, "P", "default or high"},
        {"nan", 0, CLI_TEXT, &nan, "HOW", "pixels that are not finite: refuse (default) or mean"},
        {0}};
    int code = cli_parse(c, argc, argv, options, &o.input, 1, 1);
    if (code >= 0) return code;
    if (strcmp(nan, "refuse") != 0 && strcmp(nan, "mean") != 0)
        return cli_usage(c, "--nan wants refuse or mean, got '%s'", nan);
    o.nan = strcmp(nan, "mean") == 0 ? GB_PIXELS_MEAN : GB_PIXELS_REFUSE;
    if ((code = cli_open(c, true)) >= 0) return code;
    gb_dataset_info info;
    const gb_status s = gb_client_put(&info, c->client, &o);
    if (s == GB_OK) print_dataset(c, &info);
    return cli_finish(c, s);
}

static int print_row(void *user, const gb_dataset_info *d) {
    print_dataset(user, d);
    return cli_interrupted();
}

static int run_list(cli *c, int argc, char **argv) {
    const char *key = NULL;
    const cli_option options[] = {
        {"key", 0, CLI_TEXT, &key, "NAME", "show the names of this key's datasets (asks for its passphrase)"}, {0}};
    int code = cli_parse(c, argc, argv, options, NULL, 0, 0);
    if (code >= 0 || (code = cli_open(c, true)) >= 0) return code;
    return cli_finish(c, gb_client_list(c->client, key, print_row, c));
}

static int run_get(cli *c, int argc, char **argv) {
    const char *id, *output = NULL, *key = NULL;
    const cli_option options[] = {
        {"output", 'o', CLI_TEXT, &output, "OUT.mrc", "the file to write; required"},
        {"key", 0, CLI_TEXT, &key, "NAME", "key to decrypt with (the dataset's own, found in the store)"},
        {0}};
    int code = cli_parse(c, argc, argv, options, &id, 1, 1);
    if (code >= 0) return code;
    if (!output) return cli_usage(c, "-o OUT.mrc is missing");
    if ((code = cli_open(c, true)) >= 0) return code;
    const gb_status s = gb_client_get(c->client, id, output, key);
    if (s == GB_OK && c->json) cli_json("id", 's', id, "output", 's', output, NULL);
    return cli_finish(c, s);
}

static int run_remove(cli *c, int argc, char **argv) {
    const char *id;
    bool yes = false;
    const cli_option options[] = {{"yes", 'y', CLI_FLAG, &yes, "", "do not ask"}, {0}};
    int code = cli_parse(c, argc, argv, options, &id, 1, 1);
    if (code >= 0) return code;
    char question[256];
    (void)snprintf(question, sizeof question, "Remove dataset %.64s from the server?", id);
    if (!yes && !cli_confirm(question)) return cli_usage(c, "not removed: confirm at the terminal or give --yes");
    if ((code = cli_open(c, true)) >= 0) return code;
    const gb_status s = gb_client_remove(c->client, id);
    if (s == GB_OK && c->json) cli_json("removed", 's', id, NULL);
    return cli_finish(c, s);
}

const cli_command cmd_put = {"put", "IN.mrc [--key NAME] [--name TEXT]", "encrypt an image stack and store it",
                             "  glovebox put map.mrc --key lab --name \"grid 3, square 7\"\n", run_put};
const cli_command cmd_list = {"list", "[--key NAME]", "list the datasets of the workspace",
                              "  glovebox list\n  glovebox list --key lab --json\n", run_list};
const cli_command cmd_get = {"get", "ID -o OUT.mrc [--key NAME]", "download a dataset or result and decrypt it",
                             "  glovebox get 0123456789abcdef0123456789abcdef -o map.mrc\n", run_get};
const cli_command cmd_remove = {"remove", "ID [--yes]", "remove a dataset from the server",
                                "  glovebox remove 0123456789abcdef0123456789abcdef --yes\n", run_remove};
