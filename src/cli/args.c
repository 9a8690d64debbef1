/* cli: the command line. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cli_usage(cli *c, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "glovebox %s: %s; see glovebox %s --help\n", c->command->name, text, c->command->name);
    return CLI_USAGE;
}

/* The options every command takes. */
static size_t common(cli_option out[16], cli *c) {
    const cli_option list[] = {
        {"key-store", 0, CLI_TEXT, &c->keys, "DIR", "folder of keys (GLOVEBOX_KEYS, else ~/.config/glovebox/keys)"},
        {"passphrase-file", 0, CLI_TEXT, &c->passphrase_file, "FILE",
         "its first line is the passphrase (else GLOVEBOX_PASSPHRASE, else asked)"},
        {"server", 0, CLI_TEXT, &c->server, "URL", "http://HOST:PORT (GLOVEBOX_SERVER)"},
        {"token-file", 0, CLI_TEXT, &c->token_file, "FILE", "the server's token (else GLOVEBOX_TOKEN)"},
        {"data", 0, CLI_TEXT, &c->data, "DIR",
         "data folder of a server on this machine: its address and token are read there (GLOVEBOX_DATA)"},
        {"workspace", 0, CLI_TEXT, &c->workspace, "NAME", "workspace at the server (default \"default\")"},
        {"retry", 0, CLI_REAL, &c->retry, "SECONDS", "keep trying this long when the server is away (60)"},
        {"threads", 0, CLI_UINT, &c->threads, "N", "threads of this program (all CPUs)"},
        {"memory", 0, CLI_UINT, &c->memory, "MIB", "memory for encrypted work in this program (1024)"},
        {"progress", 0, CLI_TEXT, &c->progress, "WHEN", "bars on stderr: auto, always, never"},
        {"json", 0, CLI_FLAG, &c->json, "", "print JSON on stdout, for machines"},
        {"help", 'h', CLI_FLAG, &c->help, "", "this text"},
        {0}};
    memcpy(out, list, sizeof list);
    return sizeof list / sizeof *list - 1;
}

static void print_options(const cli_option *o) {
    for (; o->name; o++) {
        char left[64];
        (void)snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->short_name ? "-" : "",
                       o->short_name ? o->short_name : ' ', o->short_name ? ", " : "   ", o->name, *o->value ? " " : "",
                       o->value);
        printf("  %-30s %s\n", left, o->help);
    }
}

static int print_help(const cli *c, const cli_option *options, const cli_option *shared) {
    printf("glovebox %s: %s\n\nUsage: glovebox %s %s\n", c->command->name, c->command->summary, c->command->name,
           c->command->usage);
    if (options && options->name) {
        printf("\nOptions:\n");
        print_options(options);
    }
    printf("\nOptions of every command:\n");
    print_options(shared);
    if (c->command->examples) printf("\nExamples:\n%s", c->command->examples);
    return CLI_OK;
}

static const cli_option *find(const cli_option *o, const char *name, size_t n, char short_name) {
    for (; o && o->name; o++) {
        if (short_name ? o->short_name == short_name : strlen(o->name) == n && strncmp(o->name, name, n) == 0) return o;
    }
    return NULL;
}

static int take(cli *c, const cli_option *o, const char *value) {
    char *end;
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->target = true;
        return -1;
    case CLI_OFF:
        *(bool *)o->target = false;
        return -1;
    case CLI_TEXT:
        *(const char **)o->target = value;
        return -1;
    case CLI_UINT: {
        errno = 0;
        const unsigned long v = strtoul(value, &end, 10);
        if (*value < '0' || *value > '9' || *end || errno || v > 0xffffffffu)
            return cli_usage(c, "--%s wants a whole number, got '%s'", o->name, value);
        *(unsigned *)o->target = (unsigned)v;
        return -1;
    }
    case CLI_REAL: {
        const double v = strtod(value, &end);
        if (!*value || *end || !isfinite(v)) return cli_usage(c, "--%s wants a number, got '%s'", o->name, value);
        *(double *)o->target = v;
        return -1;
    }
    }
    return CLI_FAILURE;
}

/* Whether the word is an option: "-" alone and negative numbers are words. */
static bool is_option(const char *word) {
    return word[0] == '-' && word[1] && !(word[1] >= '0' && word[1] <= '9') && word[1] != '.';
}

int cli_parse(cli *c, int argc, char **argv, const cli_option *options, const char **words, int least, int most) {
    cli_option shared[16] = {{0}};
    common(shared, c);
    int count = 0;
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        const char *a = argv[i];
        if (!only_words && strcmp(a, "--") == 0) {
            only_words = true;
            continue;
        }
        if (only_words || !is_option(a)) {
            if (count == most) return cli_usage(c, "'%s' is one word too many", a);
            words[count++] = a;
            continue;
        }
        const bool is_long = a[1] == '-';
        const char *name = a + (is_long ? 2 : 1), *equals = is_long ? strchr(name, '=') : NULL;
        const size_t n = equals ? (size_t)(equals - name) : strlen(name);
        const cli_option *o = NULL;
        if (is_long || n == 1) {
            o = find(options, name, n, is_long ? 0 : *name);
            if (!o) o = find(shared, name, n, is_long ? 0 : *name);
        }
        if (!o) return cli_usage(c, "unknown option '%s'", a);
        const bool flag = o->kind == CLI_FLAG || o->kind == CLI_OFF;
        if (flag && equals) return cli_usage(c, "--%s takes no value", o->name);
        const char *value = flag ? NULL : equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!flag && !value) return cli_usage(c, "--%s wants a value: %s", o->name, o->value);
        const int code = take(c, o, value);
        if (code >= 0) return code;
        if (c->help) return print_help(c, options, shared);
    }
    if (count < least) return cli_usage(c, "too few words; usage: glovebox %s %s", c->command->name, c->command->usage);
    if (c->progress && strcmp(c->progress, "auto") != 0 && strcmp(c->progress, "always") != 0 &&
        strcmp(c->progress, "never") != 0)
        return cli_usage(c, "--progress wants auto, always or never, got '%s'", c->progress);
    return -1;
}
