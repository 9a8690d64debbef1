/* cli: finds the command and runs it. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const cli_command *const commands[] = {
    &cmd_key_new,     &cmd_key_list,    &cmd_key_show,       &cmd_key_remove, &cmd_tomo_reconstruct, &cmd_put,
    &cmd_list,        &cmd_get,         &cmd_remove,         &cmd_job_list,   &cmd_job_watch,        &cmd_job_cancel,
    &cmd_params_list, &cmd_params_show, &cmd_params_suggest, &cmd_version};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int overview(FILE *out) {
    fprintf(out, "glovebox: computes on data that stays encrypted on the machine that computes.\n\n"
                 "Usage: glovebox COMMAND [options]\n\nCommands:\n");
    for (int i = 0; i < COMMANDS; i++) fprintf(out, "  %-18s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "  %-18s %s\n", "help [COMMAND]", "this text, or a command's options and examples");
    fprintf(out, "\nExamples:\n"
                 "  glovebox key new lab\n"
                 "  glovebox tomo reconstruct series.mrc --tilts series.rawtlt -o volume.mrc\n"
                 "\nExit codes: 0 success, 1 failure, 2 usage, 3 input cannot be used, 4 key or passphrase,\n"
                 "5 server or network, 6 out of space or memory, 7 reading or writing a file, 130 interrupted.\n");
    return out == stdout ? CLI_OK : CLI_USAGE;
}

/* How many words of argv make up the command's name; 0: another command. */
static int matches(const cli_command *c, int argc, char **argv) {
    const char *space = strchr(c->name, ' ');
    if (!space) return argc >= 1 && strcmp(argv[0], c->name) == 0;
    const size_t n = (size_t)(space - c->name);
    return argc >= 2 && strlen(argv[0]) == n && strncmp(argv[0], c->name, n) == 0 && strcmp(argv[1], space + 1) == 0
               ? 2
               : 0;
}

/* "glovebox key" alone: the commands of that group. */
static int group_help(const char *word, bool asked) {
    bool found = false;
    const size_t n = strlen(word);
    for (int i = 0; i < COMMANDS; i++) {
        if (strncmp(commands[i]->name, word, n) != 0 || commands[i]->name[n] != ' ') continue;
        if (!found) fprintf(asked ? stdout : stderr, "glovebox %s: one of\n", word);
        found = true;
        fprintf(asked ? stdout : stderr, "  glovebox %-18s %s\n", commands[i]->name, commands[i]->summary);
    }
    if (!found) fprintf(stderr, "glovebox: unknown command '%s'; see glovebox help\n", word);
    return found && asked ? CLI_OK : CLI_USAGE;
}

int main(int argc, char **argv) {
    argc--;
    argv++;
    if (argc < 1) return overview(stderr);
    bool help = strcmp(argv[0], "help") == 0;
    if (help || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        if (argc == 1) return overview(stdout);
        argc--;
        argv++;
        help = true;
    }
    if (strcmp(argv[0], "--version") == 0) argv[0] = (char *)cmd_version.name;
    cli_interrupts();
    for (int i = 0; i < COMMANDS; i++) {
        const int words = matches(commands[i], argc, argv);
        if (words == 0) continue;
        cli c = {.command = commands[i], .retry = 60};
        char *only_help[] = {(char *)"--help"};
        const int code = help ? c.command->run(&c, 1, only_help) : c.command->run(&c, argc - words, argv + words);
        cli_close(&c);
        return code;
    }
    return group_help(argv[0], help || (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)));
}
