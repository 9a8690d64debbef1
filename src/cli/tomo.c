/* glovebox tomo reconstruct */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_step(const char *name, double seconds) {
    if (seconds > 0) printf("  %-34s %10.3f s\n", name, seconds);
}

static void print_size(const char *name, uint64_t bytes, uint64_t raw) {
    char text[32];
    if (bytes == 0) return;
    cli_bytes(text, bytes);
    printf("  %-34s %12s", name, text);
    if (raw) printf("  (%.2f x raw)", (double)bytes / (double)raw);
    printf("\n");
}

static void print_report(const gb_report *r, const gb_tomo_options *o) {
    printf("%u images of %u x %u -> volume %u x %u x %u (%s%s%s)\n", r->tilts, r->nx, r->ny, r->volume_x, r->volume_y,
           r->volume_z, r->where, *r->params ? ", " : "", r->params);
    print_size("raw data", r->bytes_raw, 0);
    print_size("uploaded, encrypted", r->bytes_uploaded, r->bytes_raw);
    print_size("downloaded, encrypted", r->bytes_downloaded, r->bytes_raw);
    print_step("read", r->seconds_read);
    print_step("align", r->seconds_align);
    print_step("measure ranges", r->seconds_measure);
    print_step(strcmp(r->where, "server") == 0 ? "encrypt and upload" : "encrypt", r->seconds_encrypt);
    print_step(strcmp(r->where, "plain") == 0 ? "filter and back-project" : "filter and back-project, encrypted",
               r->seconds_compute);
    print_step(strcmp(r->where, "server") == 0 ? "download and decrypt" : "decrypt", r->seconds_decrypt);
    print_step("write", r->seconds_write);
    print_step("compare with plaintext", r->seconds_compare);
    print_step("everything", r->seconds_total);
    if (r->relative_rms_error >= 0) printf("  %-34s %10.2e\n", "relative RMS error", r->relative_rms_error);
    if (r->ratio >= 0)
        printf("  encrypted / plaintext, one core      %.3f s / %.3f s = %.1f times\n", r->encrypted_seconds,
               r->plain_seconds, r->ratio);
    if (r->room && r->rows < r->room / 2)
        printf("  each ciphertext has room for %u values and holds %u: small images pay for the rest\n", r->room,
               r->rows);
    if (r->pixels_replaced)
        printf("  %llu pixels were not finite and replaced by their image's mean\n",
               (unsigned long long)r->pixels_replaced);
    if (*r->result) printf("  kept at the server: input %s, result %s\n", r->dataset, r->result);
    printf("%s\n", o->output);
    if (o->montage) printf("%s\n", o->montage);
    if (o->report) printf("%s\n", o->report);
}

static int check(cli *c, gb_tomo_options *o, const char *nan, bool local, bool plain) {
    if (!o->tilts) return cli_usage(c, "--tilts FILE is missing");
    if (!o->output) return cli_usage(c, "-o OUT.mrc is missing");
    if (local && plain) return cli_usage(c, "give --local or --plain, not both");
    if (strcmp(nan, "refuse") != 0 && strcmp(nan, "mean") != 0)
        return cli_usage(c, "--nan wants refuse or mean, got '%s'", nan);
    o->nan = strcmp(nan, "mean") == 0 ? GB_PIXELS_MEAN : GB_PIXELS_REFUSE;
    o->where = local ? GB_TOMO_LOCAL : plain ? GB_TOMO_PLAIN : GB_TOMO_SERVER;
    return -1;
}

static int run(cli *c, int argc, char **argv) {
    gb_tomo_options o;
    gb_tomo_options_defaults(&o);
    bool local = false, plain = false, compare = false, align = false, weights = false, keep = false;
    const char *nan = "refuse";
    const cli_option options[] = {
        {"tilts", 't', CLI_TEXT, &o.tilts, "FILE", "tilt angles: .rawtlt, .tlt or .mdoc; required"},
        {"output", 'o', CLI_TEXT, &o.output, "OUT.mrc", "the volume to write; required"},
        {"thickness", 0, CLI_UINT, &o.thickness, "N", "thickness of the volume in voxels (the images' width)"},
        {"filter", 0, CLI_TEXT, &o.filter, "NAME", "ramp (default), shepp-logan, hamming, sirt:N"},
        {"interpolation", 0, CLI_TEXT, &o.interpolation, "NAME", "linear (default) or nearest"},
        {"axis-angle", 0, CLI_REAL, &o.axis_angle, "DEG",
         "tilt axis from the image's y axis, counter-clockwise (the .mdoc's, else 0)"},
        {"axis-offset", 0, CLI_REAL, &o.axis_offset, "PX", "tilt axis from the middle of the image (0)"},
        {"align", 0, CLI_FLAG, &align, "", "align the images by cross-correlation first"},
        {"no-align", 0, CLI_OFF, &align, "", "take the images as they are (default)"},
        {"find-angle", 0, CLI_REAL, &o.find_angle, "DEG",
         "with --align: search the axis this far around --axis-angle (0)"},
        {"background", 0, CLI_TEXT, &o.background, "HOW", "keep (default), or subtract each image's mean or border"},
        {"taper", 0, CLI_UINT, &o.taper, "PX", "fade this many columns at both sides to zero (0)"},
        {"spacing-weights", 0, CLI_FLAG, &weights, "", "weigh images by their share of the angular range"},
        {"precision", 0, CLI_TEXT, &o.precision, "P", "default (error <= 5e-4) or high (<= 1e-4)"},
        {"nan", 0, CLI_TEXT, &nan, "HOW", "pixels that are not finite: refuse (default) or mean"},
        {"key", 0, CLI_TEXT, &o.key, "NAME", "key to encrypt under (the only one that fits)"},
        {"local", 0, CLI_FLAG, &local, "", "encrypted, but without a server: all in this program"},
        {"plain", 0, CLI_FLAG, &plain, "", "no encryption: the plaintext path"},
        {"compare", 0, CLI_FLAG, &compare, "", "also run the plaintext path: error and ratio of times"},
        {"keep", 0, CLI_FLAG, &keep, "", "leave the encrypted input and result at the server"},
        {"report", 0, CLI_TEXT, &o.report, "FILE", "write sizes, seconds and errors as JSON"},
        {"montage", 0, CLI_TEXT, &o.montage, "FILE", "write a picture of some slices as PNG"},
        {0}};
    int code = cli_parse(c, argc, argv, options, &o.input, 1, 1);
    if (code >= 0 || (code = check(c, &o, nan, local, plain)) >= 0) return code;
    o.align = align;
    o.spacing_weights = weights;
    o.compare = compare;
    o.keep = keep;
    if ((code = cli_open(c, o.where == GB_TOMO_SERVER)) >= 0) return code;
    gb_report report;
    const gb_status s = gb_tomo_reconstruct(&report, c->client, &o);
    code = cli_finish(c, s);
    if (s != GB_OK) return code;
    if (!c->json) {
        print_report(&report, &o);
        return cli_finish(c, GB_OK);
    }
    char *text;
    const gb_status made = gb_report_json(&text, c->client, &report);
    if (made == GB_OK) printf("%s\n", text);
    gb_text_free(made == GB_OK ? text : NULL);
    return cli_finish(c, made);
}

const cli_command cmd_tomo_reconstruct = {
    "tomo reconstruct", "IN.mrc --tilts FILE -o OUT.mrc [options]", "reconstruct a tilt series, encrypted",
    "  glovebox tomo reconstruct series.mrc --tilts series.rawtlt -o volume.mrc --key lab\n"
    "  glovebox tomo reconstruct series.mrc --tilts series.mdoc -o volume.mrc --align --thickness 256\n"
    "  glovebox tomo reconstruct series.mrc --tilts series.tlt -o volume.mrc --local --compare --report r.json\n"
    "  glovebox tomo reconstruct series.mrc --tilts series.tlt -o volume.mrc --plain --filter sirt:10\n",
    run};
