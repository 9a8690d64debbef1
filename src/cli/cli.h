/* cli: what the commands share. The commands stand on include/glovebox alone. */
#ifndef GB_CLI_H
#define GB_CLI_H

#include <stdbool.h>

#include "glovebox/client.h"

/* Exit codes; part of the interface, listed in the manual. */
enum {
    CLI_OK = 0,
    CLI_FAILURE = 1,      /* anything without a code of its own */
    CLI_USAGE = 2,        /* the command line */
    CLI_INPUT = 3,        /* an input file or dataset cannot be used */
    CLI_KEY = 4,          /* key or passphrase */
    CLI_SERVER = 5,       /* server not reached, refused, or in the wrong state */
    CLI_SPACE = 6,        /* out of space or memory */
    CLI_IO = 7,           /* a file could not be read or written */
    CLI_INTERRUPTED = 130 /* Ctrl-C */
};

typedef enum cli_kind { CLI_FLAG, CLI_OFF, CLI_TEXT, CLI_UINT, CLI_REAL } cli_kind;

/* One option. target: bool for FLAG (set) and OFF (cleared), const char * for TEXT, unsigned for UINT, double for REAL.
 * An option is written --name VALUE or --name=VALUE; short_name 0: none. */
typedef struct cli_option {
    const char *name;
    char short_name;
    cli_kind kind;
    void *target;
    const char *value, *help; /* the value's name in the help, "" for flags */
} cli_option;

typedef struct cli {
    const struct cli_command *command;
    bool json, help;
    const char *progress, *keys, *server, *data, *token_file, *passphrase_file, *workspace, *cpu;
    unsigned threads, memory;
    double retry;
    gb_ctx *ctx;
    gb_client *client;
    char *server_text, *token_text; /* read from files; freed at the end */
    char stage[64];                 /* what the progress line shows */
    double last_draw;
    int last_percent;
    bool bar, line_open;
} cli;

typedef struct cli_command {
    const char *name;     /* "key new" */
    const char *usage;    /* what follows the name */
    const char *summary;  /* one line */
    const char *examples; /* lines */
    int (*run)(cli *c, int argc, char **argv);
} cli_command;

/* ---- args.c ---- */
/* Parses argv into options (ended by a zero entry) and the common ones; the rest, `least` to `most` words, goes to
 * words. Prints help or the error; answers -1 to go on, else the exit code. */
int cli_parse(cli *c, int argc, char **argv, const cli_option *options, const char **words, int least, int most);
/* One line on stderr, and as JSON on stdout where --json was given. Answers CLI_USAGE. */
int cli_usage(cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- ui.c ---- */
/* Makes c->ctx and c->client from the common options; -1 to go on, else the exit code. server: the command speaks to
 * one, so its address and token are looked for. */
int cli_open(cli *c, bool server);
void cli_close(cli *c);
/* The exit code of a status; prints the context's error when it is one. */
int cli_finish(cli *c, gb_status s);
int cli_fail(cli *c, gb_status s, const char *message);
void cli_interrupts(void); /* Ctrl-C sets a flag that the progress hook answers */
bool cli_interrupted(void);
/* Yes or no at the terminal; no when there is none. */
bool cli_confirm(const char *question);
void cli_bytes(char out[32], uint64_t n); /* "1.5 MiB" */
/* Prints a JSON object on stdout: name, kind ('s' text, 'u' uint64_t, 'f' double, 'b' int), value; ended by NULL. */
void cli_json(const char *name, ...);

extern const cli_command cmd_key_new, cmd_key_list, cmd_key_show, cmd_key_remove;
extern const cli_command cmd_put, cmd_list, cmd_get, cmd_remove;
extern const cli_command cmd_tomo_reconstruct;
extern const cli_command cmd_job_list, cmd_job_watch, cmd_job_cancel;
extern const cli_command cmd_params_list, cmd_params_show, cmd_params_suggest;
extern const cli_command cmd_version;

#endif
