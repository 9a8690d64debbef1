/* glovebox key new|list|show|remove */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_key(const cli *c, const gb_key_info *k) {
    if (c->json) {
        cli_json("name", 's', k->name, "id", 's', k->id, "params", 's', k->params, "created", 's', k->created, "log_n",
                 'u', (uint64_t)k->log_n, "log2_q", 'f', k->log2_q, "security", 'u', (uint64_t)k->security,
                 "keyset_bytes", 'u', k->keyset_bytes, "kdf_mib", 'u', (uint64_t)k->kdf_mib, NULL);
        return;
    }
    char size[32];
    cli_bytes(size, k->keyset_bytes);
    printf("name        %s\nid          %s\nparameters  %s (N = %u, %.1f bits, security %u)\ncreated     %s\n"
           "public part %s\npassphrase  Argon2id, %u MiB a guess\n",
           k->name, k->id, *k->params ? k->params : "unknown to this version", 1u << k->log_n, k->log2_q, k->security,
           k->created, k->keyset_bytes ? size : "missing", k->kdf_mib);
}

static int run_new(cli *c, int argc, char **argv) {
    const char *name, *params = NULL, *precision = NULL, *cost = "moderate";
    const cli_option options[] = {
        {"precision", 0, CLI_TEXT, &precision, "P", "default or high: the parameters for work of that precision"},
        {"params", 0, CLI_TEXT, &params, "SET", "a parameter set by name, in place of --precision"},
        {"kdf", 0, CLI_TEXT, &cost, "COST", "cost of a passphrase guess: interactive, moderate (default), sensitive"},
        {0}};
    int code = cli_parse(c, argc, argv, options, &name, 1, 1);
    if (code >= 0) return code;
    if (params && precision) return cli_usage(c, "give --precision or --params, not both");
    if (precision && !(params = gb_client_params_of(precision)))
        return cli_usage(c, "--precision wants default or high, got '%s'", precision);
    const gb_kdf_cost kdf = strcmp(cost, "interactive") == 0 ? GB_KDF_INTERACTIVE
                            : strcmp(cost, "sensitive") == 0 ? GB_KDF_SENSITIVE
                                                             : GB_KDF_MODERATE;
    if (kdf == GB_KDF_MODERATE && strcmp(cost, "moderate") != 0)
        return cli_usage(c, "--kdf wants interactive, moderate or sensitive, got '%s'", cost);
    if ((code = cli_open(c, false)) >= 0) return code;
    gb_key_info info;
    const gb_status s = gb_client_key_new(&info, c->client, name, params, kdf);
    if (s == GB_OK) {
        print_key(c, &info);
        if (!c->json)
            printf("\nThe secret is in %s/%s.key. Keep a copy of it and the passphrase:\n"
                   "without both, nothing encrypted under this key can ever be read.\n",
                   gb_client_keys(c->client), name);
    }
    return cli_finish(c, s);
}

static int print_row(void *user, const gb_key_info *k) {
    cli *c = user;
    if (c->json)
        print_key(c, k);
    else
        printf("%-20s %-14s %.16s  %s\n", k->name, *k->params ? k->params : "?", k->id, k->created);
    return 0;
}

static int run_list(cli *c, int argc, char **argv) {
    int code = cli_parse(c, argc, argv, NULL, NULL, 0, 0);
    if (code >= 0 || (code = cli_open(c, false)) >= 0) return code;
    return cli_finish(c, gb_client_key_list(c->client, print_row, c));
}

static int run_show(cli *c, int argc, char **argv) {
    const char *name;
    bool verify = false;
    const cli_option options[] = {{"verify", 0, CLI_FLAG, &verify, "",
                                   "open the secret with the passphrase and check it against the public part"},
                                  {0}};
    int code = cli_parse(c, argc, argv, options, &name, 1, 1);
    if (code >= 0 || (code = cli_open(c, false)) >= 0) return code;
    gb_key_info info;
    gb_status s = gb_client_key_show(&info, c->client, name);
    if (s == GB_OK && verify) s = gb_client_key_verify(c->client, name);
    if (s == GB_OK) print_key(c, &info);
    return cli_finish(c, s);
}

static int run_remove(cli *c, int argc, char **argv) {
    const char *name;
    bool yes = false;
    const cli_option options[] = {{"yes", 'y', CLI_FLAG, &yes, "", "do not ask"}, {0}};
    int code = cli_parse(c, argc, argv, options, &name, 1, 1);
    if (code >= 0 || (code = cli_open(c, false)) >= 0) return code;
    gb_key_info info;
    gb_status s = gb_client_key_show(&info, c->client, name);
    if (s != GB_OK && s != GB_ERR_FORMAT && s != GB_ERR_TRUNCATED && s != GB_ERR_VERSION) return cli_finish(c, s);
    char question[256];
    (void)snprintf(question, sizeof question, "Remove key '%s'? What was encrypted under it is lost for ever.", name);
    if (!yes && !cli_confirm(question)) return cli_usage(c, "not removed: confirm at the terminal or give --yes");
    s = gb_client_key_remove(c->client, name);
    if (s == GB_OK && c->json) cli_json("removed", 's', name, NULL);
    return cli_finish(c, s);
}

const cli_command cmd_key_new = {"key new", "NAME [--precision default|high]", "make a key",
                                 "  glovebox key new lab\n"
                                 "  glovebox key new lab-high --precision high\n"
                                 "  glovebox key new batch --passphrase-file pass.txt --kdf interactive\n",
                                 run_new};
const cli_command cmd_key_list = {"key list", "", "list the keys of this machine",
                                  "  glovebox key list\n  glovebox key list --json\n", run_list};
const cli_command cmd_key_show = {"key show", "NAME [--verify]", "show a key's public facts",
                                  "  glovebox key show lab\n  glovebox key show lab --verify\n", run_show};
const cli_command cmd_key_remove = {"key remove", "NAME [--yes]", "remove a key, and with it all that it can read",
                                    "  glovebox key remove old --yes\n", run_remove};
