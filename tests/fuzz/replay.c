/* Runs a fuzz target over every file of a corpus folder, one TAP case a file, so that ordinary builds (and sanitized
 * ones) replay what fuzzing found. A crash ends the program: meson reports it. Usage: replay_NAME FOLDER */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int replay(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) return -1;
    /* Exactly as large as the file, so that the address sanitizer sees a read past its end. */
    long n = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    uint8_t *data = n < 0 ? NULL : malloc(n ? (size_t)n : 1);
    int failed = !data || fseek(f, 0, SEEK_SET) != 0 || fread(data, 1, (size_t)n, f) != (size_t)n;
    if (!failed) LLVMFuzzerTestOneInput(data, (size_t)n);
    free(data);
    fclose(f);
    return failed;
}

static int is_input(const struct dirent *e) { return e->d_name[0] != '.'; }

int main(int argc, char **argv) {
    struct dirent **entries;
    int count = argc == 2 ? scandir(argv[1], &entries, is_input, alphasort) : -1, bad = 0;
    if (count <= 0) {
        fprintf(stderr, "%s: no corpus in %s\n", argv[0], argc == 2 ? argv[1] : "(no folder given)");
        return 1;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        int failed = replay(argv[1], entries[i]->d_name);
        printf("%s %d - %s\n", failed ? "not ok" : "ok", i + 1, entries[i]->d_name);
        fflush(stdout);
        bad += failed != 0;
        free(entries[i]);
    }
    free(entries);
    return bad != 0;
}
