/* glovebox job list|watch|cancel */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_job(const cli *c, const gb_job_info *j) {
    if (c->json) {
        cli_json("id", 's', j->id, "state", 's', j->state, "stage", 's', j->stage, "done", 'u', j->done, "total", 'u',
                 j->total, "created", 's', j->created, "started", 's', j->started, "finished", 's', j->finished,
                 "seconds", 'f', j->seconds, "result", 's', j->result, "error_code", 's', j->error_code, "error", 's',
                 j->error, NULL);
        return;
    }
    printf("%s  %-9s %3.0f%% %8.1f s  %s  %s\n", j->id, j->state,
           strcmp(j->state, "done") == 0 ? 100.0
           : j->total                    ? 100.0 * (double)j->done / (double)j->total
                                         : 0.0,
           j->seconds, j->created,
           *j->error    ? j->error
           : *j->result ? j->result
                        : "-");
}

static int print_row(void *user, const gb_job_info *j) {
    print_job(user, j);
    return cli_interrupted();
}

static int run_list(cli *c, int argc, char **argv) {
    int code = cli_parse(c, argc, argv, NULL, NULL, 0, 0);
    if (code >= 0 || (code = cli_open(c, true)) >= 0) return code;
    return cli_finish(c, gb_client_job_list(c->client, print_row, c));
}

static int run_watch(cli *c, int argc, char **argv) {
    const char *id;
    int code = cli_parse(c, argc, argv, NULL, &id, 1, 1);
    if (code >= 0 || (code = cli_open(c, true)) >= 0) return code;
    gb_job_info info;
    const gb_status s = gb_client_job_watch(&info, c->client, id);
    code = cli_finish(c, s);
    if (s != GB_OK) return code;
    print_job(c, &info);
    return strcmp(info.state, "done") == 0 ? CLI_OK : CLI_FAILURE;
}

static int run_cancel(cli *c, int argc, char **argv) {
    const char *id;
    int code = cli_parse(c, argc, argv, NULL, &id, 1, 1);
    if (code >= 0 || (code = cli_open(c, true)) >= 0) return code;
    const gb_status s = gb_client_job_cancel(c->client, id);
    if (s == GB_OK && c->json) cli_json("cancelled", 's', id, NULL);
    return cli_finish(c, s);
}

const cli_command cmd_job_list = {"job list", "", "list the jobs of the workspace",
                                  "  glovebox job list\n  glovebox job list --json\n", run_list};
const cli_command cmd_job_watch = {"job watch", "ID", "follow a job to its end; exit code 0 when it is done",
                                   "  glovebox job watch 0123456789abcdef0123456789abcdef\n", run_watch};
const cli_command cmd_job_cancel = {"job cancel", "ID", "cancel a queued or running job",
                                    "  glovebox job cancel 0123456789abcdef0123456789abcdef\n", run_cancel};
