/* glovebox version */
#include "cli/cli.h"

#include <stdio.h>

static int run(cli *c, int argc, char **argv) {
    const int code = cli_parse(c, argc, argv, NULL, NULL, 0, 0);
    if (code >= 0) return code;
    if (c->json)
        cli_json("name", 's', "glovebox", "version", 's', gb_version(), NULL);
    else
        printf("glovebox %s\n", gb_version());
    return CLI_OK;
}

const cli_command cmd_version = {"version", "", "print the version", "  glovebox version --json\n", run};
