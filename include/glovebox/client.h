/* Glovebox: the client's public interface. C99.
 *
 * A client reads the user's files, encrypts them under a key that never leaves this machine, lets a server (or, in
 * local mode, this process) compute on the ciphertexts, and decrypts what comes back. Everything secret stays on this
 * side.
 *
 * Every call answers a gb_status; the sentence for people is gb_ctx_error() of the context the client was made with. A
 * client belongs to one thread at a time. Strings passed in stay the caller's and are copied where they must live on.
 * Long work reports through the context's progress hook; the hook's refusal ends the call with GB_ERR_CANCELLED, and
 * nothing half-written is left behind. Path names are those of the system; times are UTC, "2026-01-31T12:00:00Z". */
#ifndef GLOVEBOX_CLIENT_H
#define GLOVEBOX_CLIENT_H

#include "glovebox/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the client ---- */

/* Asks for the passphrase of a key: writes it, ended by 0, into out[capacity] (which the client wipes) and returns 0,
 * or returns other than 0 when there is none. confirm: a new key is being made, ask twice. */
typedef int (*gb_passphrase_fn)(void *user, char *out, size_t capacity, const char *key, int confirm);

typedef struct gb_client_config {
    size_t size;           /* sizeof(gb_client_config), set by gb_client_config_defaults */
    const char *keys;      /* folder of the key store; NULL: GLOVEBOX_KEYS, else ~/.config/glovebox/keys */
    const char *server;    /* "http://HOST:PORT"; NULL: GLOVEBOX_SERVER, else none (only local work) */
    const char *token;     /* bearer token of the server; NULL: GLOVEBOX_TOKEN */
    const char *workspace; /* name of the workspace at the server, made when missing; default "default" */
    double retry;          /* seconds to keep trying when the server does not answer, 0..86400; default 60 */
    unsigned connections;  /* parallel transfers, 1..16; default 4 */
    gb_passphrase_fn passphrase;
    void *passphrase_user;
} gb_client_config;

GB_API void gb_client_config_defaults(gb_client_config *config);

typedef struct gb_client gb_client;
/* Makes a client; nothing is contacted or created yet. ctx must outlive it. Errors: ARGUMENT, MEMORY. */
GB_API GB_CHECK gb_status gb_client_new(gb_client **out, gb_ctx *ctx, const gb_client_config *config);
GB_API void gb_client_free(gb_client *client);                /* NULL is allowed */
GB_API const char *gb_client_keys(const gb_client *client);   /* the key store's folder */
GB_API const char *gb_client_server(const gb_client *client); /* NULL: none */

/* ---- keys ----
 * One key, one parameter set. NAME.key holds the secret, encrypted under a passphrase (Argon2id, XChaCha20-Poly1305,
 * the header authenticated); NAME.keyset beside it is the public part. Names: 1..48 of a-z A-Z 0-9 . _ -, first not '.'
 * or '-'. */
#define GB_KEY_NAME_MAX 48

typedef enum gb_kdf_cost { /* what one guess of the passphrase costs: memory and about how long */
                           GB_KDF_INTERACTIVE = 0, /* 64 MiB, a tenth of a second */
                           GB_KDF_MODERATE = 1,    /* 256 MiB, most of a second; the default */
                           GB_KDF_SENSITIVE = 2    /* 1 GiB, several seconds */
} gb_kdf_cost;

typedef struct gb_key_info {
    char name[GB_KEY_NAME_MAX + 1];
    char id[65];     /* hash of the public part, hex */
    char params[32]; /* parameter set, "" when this version does not know it */
    char created[24];
    unsigned log_n;        /* ring dimension 2^log_n */
    double log2_q;         /* bits of the modulus */
    unsigned security;     /* bits by the security table */
    uint64_t keyset_bytes; /* size of the public part; 0: the file is missing */
    unsigned kdf_mib;      /* memory of one passphrase guess, MiB */
} gb_key_info;

/* Makes a key. params: a shipped parameter set, NULL: the one of default precision. Errors: ARGUMENT (name), EXISTS (a
 * key is never overwritten), KEY (no or too short a passphrase: 8 bytes at least), NOT_FOUND (params), IO, SPACE. */
GB_API GB_CHECK gb_status gb_client_key_new(gb_key_info *out, gb_client *client, const char *name, const char *params,
                                            gb_kdf_cost cost);
/* Calls each for every key, by name; stops with GB_ERR_CANCELLED when it returns other than 0. Needs no passphrase. */
typedef int (*gb_key_fn)(void *user, const gb_key_info *info);
GB_API GB_CHECK gb_status gb_client_key_list(gb_client *client, gb_key_fn each, void *user);
/* Errors: KEY (no such key), FORMAT (the file is damaged). */
GB_API GB_CHECK gb_status gb_client_key_show(gb_key_info *out, gb_client *client, const char *name);
/* Opens the secret with the passphrase and checks it against the public part. Errors: KEY, FORMAT. */
GB_API GB_CHECK gb_status gb_client_key_verify(gb_client *client, const char *name);
/* Removes both files; what was encrypted under the key is lost for ever. Errors: KEY, IO. */
GB_API GB_CHECK gb_status gb_client_key_remove(gb_client *client, const char *name);
/* The parameter set that a precision needs: "default" or "high"; NULL for another word. */
GB_API const char *gb_client_params_of(const char *precision);

/* ---- tomography ---- */

typedef enum gb_tomo_where {
    GB_TOMO_SERVER = 0, /* encrypt here, compute at the server */
    GB_TOMO_LOCAL =
        1,            /* the same code on ciphertexts, all in this process; tiles in a temporary folder beside output */
    GB_TOMO_PLAIN = 2 /* no encryption: the plaintext path, 32-bit floats */
} gb_tomo_where;

typedef enum gb_pixels { GB_PIXELS_REFUSE = 0, GB_PIXELS_MEAN = 1 } gb_pixels; /* what to do with NaN or infinity */

typedef struct gb_tomo_options {
    size_t size;               /* sizeof(gb_tomo_options), set by gb_tomo_options_defaults */
    const char *input;         /* tilt series, MRC; required */
    const char *tilts;         /* .rawtlt, .tlt or .mdoc; required */
    const char *output;        /* volume, MRC, written whole or not at all; required */
    gb_tomo_where where;       /* default GB_TOMO_SERVER */
    const char *key;           /* name of the key; NULL: the only one in the store with the parameters needed */
    const char *precision;     /* "default" (relative RMS error <= 5e-4) or "high" (<= 1e-4) */
    const char *filter;        /* "ramp" (default), "shepp-logan", "hamming", "sirt:N" with N in 1..1000 */
    const char *interpolation; /* "linear" (default) or "nearest" */
    uint32_t thickness;        /* slices' thickness in voxels, 1..65536; 0: as wide as the images (default) */
    double axis_angle;         /* tilt axis from the image's y axis, degrees counter-clockwise; NaN (default): what the
                                  .mdoc says, else 0 */
    double axis_offset;        /* of the tilt axis from the middle of the image, pixels in x; default 0 */
    int align;                 /* 1: align the images by cross-correlation first; default 0 */
    double find_angle;         /* with align: search the axis this far on both sides of axis_angle, degrees, 0..15; 0 */
    const char *background;    /* "keep" (default), or subtract from each image its "mean" or its "border" (median) */
    uint32_t taper;            /* columns at both sides faded to zero; default 0 */
    int spacing_weights;       /* 1: weigh images by their share of the angular range; default 0 */
    gb_pixels nan;             /* default GB_PIXELS_REFUSE */
    int compare;               /* 1: also run the plaintext paths and measure error and ratio; default 0 */
    int keep;                  /* 1: leave the encrypted input and result at the server; default 0: remove at success */
    const char *report;        /* JSON file to write; NULL: none */
    const char *montage;       /* PNG of slices to write; NULL: none */
} gb_tomo_options;

GB_API void gb_tomo_options_defaults(gb_tomo_options *options);

/* What a reconstruction took. Seconds are wall-clock seconds of this machine unless said otherwise; a step that did not
 * run has 0, and a figure that was not measured is negative. */
typedef struct gb_report {
    size_t size;                           /* sizeof(gb_report), set by gb_tomo_reconstruct */
    uint32_t nx, ny, tilts;                /* the tilt series as it was reconstructed: width, rows, images */
    uint32_t volume_x, volume_y, volume_z; /* width, rows, thickness */
    char where[8];                         /* "server", "local", "plain" */
    char precision[8];
    char params[32];
    unsigned threads;    /* of this process */
    uint32_t copies;     /* 2: point-symmetric pairs share a ciphertext */
    uint32_t rows, room; /* coefficients of a ciphertext in use, and how many it has: small images pay for the rest */
    uint64_t bytes_raw, bytes_uploaded, bytes_downloaded; /* bytes_raw: the pixels as the file stores them */
    double seconds_read, seconds_align, seconds_measure, seconds_encrypt, seconds_compute, seconds_decrypt,
        seconds_write, seconds_compare, seconds_total; /* encrypt includes the upload, decrypt the download */
    unsigned job_threads;                              /* threads the encrypted computation had */
    double encrypted_seconds;   /* processor seconds of the encrypted computation, all threads together */
    double plain_seconds;       /* processor seconds of the same in 32-bit floats, one thread, this machine */
    double ratio;               /* encrypted_seconds / plain_seconds */
    double relative_rms_error;  /* of the written volume against the 64-bit plaintext path */
    double predicted_rms_error; /* the planner's, in units of the volume's values (not relative) */
    uint64_t pixels_replaced;   /* not finite, replaced by their image's mean */
    char dataset[65], result[65], job[65]; /* ids at the server; "" when there are none (any more) */
} gb_report;

/* Reconstructs a tilt series. out (may be NULL) is filled as far as the work came, also on error. The same call after
 * an interruption goes on with the upload where it stopped: the encryption is a function of key, content and the nonce
 * noted in the key store's state folder. Errors: those of reading (NOT_FOUND, FORMAT, TRUNCATED, RANGE, PARAMS, LIMIT,
 * UNSUPPORTED), KEY, NETWORK, DENIED, IO, SPACE, CANCELLED. */
GB_API GB_CHECK gb_status gb_tomo_reconstruct(gb_report *out, gb_client *client, const gb_tomo_options *options);
/* The report as JSON text; free with gb_text_free. The same text as the file of options.report. */
GB_API GB_CHECK gb_status gb_report_json(char **out, gb_client *client, const gb_report *report);
GB_API void gb_text_free(char *text); /* NULL is allowed */

/* ---- datasets at the server ---- */

typedef struct gb_dataset_info {
    char id[65];
    char name[112]; /* decrypted with the key when that is open, else "" */
    char state[16]; /* uploading, ready, failed */
    char kind[16];
    char key[65]; /* id of its key set */
    char created[24];
    uint64_t tiles, received, bytes;
} gb_dataset_info;

typedef struct gb_put_options {
    size_t size;       /* sizeof(gb_put_options), set by gb_put_options_defaults */
    const char *input; /* an image stack or volume, MRC; required */
    const char *key;   /* as in gb_tomo_options; the parameters of `precision` */
    const char *name;  /* kept encrypted; NULL: the file's name; cut at 80 bytes */
    const char *precision;
    gb_pixels nan;
} gb_put_options;

GB_API void gb_put_options_defaults(gb_put_options *options);
/* Encrypts a stack and stores it; resumes like gb_tomo_reconstruct. The information in *out is the server's. */
GB_API GB_CHECK gb_status gb_client_put(gb_dataset_info *out, gb_client *client, const gb_put_options *options);
/* key: decrypt names of datasets of this key (asks for its passphrase); NULL: leave all names "". */
typedef int (*gb_dataset_fn)(void *user, const gb_dataset_info *info);
GB_API GB_CHECK gb_status gb_client_list(gb_client *client, const char *key, gb_dataset_fn each, void *user);
/* Downloads, checks every tile's hash, decrypts and writes an MRC file. key as above. Errors: NOT_FOUND, STATE (upload
 * not finished), KEY (another key's dataset; the sentence names it), HASH. */
GB_API GB_CHECK gb_status gb_client_get(gb_client *client, const char *id, const char *output, const char *key);
GB_API GB_CHECK gb_status gb_client_remove(gb_client *client, const char *id);

/* ---- jobs at the server ---- */

typedef struct gb_job_info {
    char id[65];
    char state[16]; /* queued, running, done, failed, cancelled */
    char stage[32];
    uint64_t done, total; /* progress of the stage */
    char created[24], started[24], finished[24];
    double seconds;      /* processor seconds of the worker's run */
    char result[65];     /* dataset of the first output, "" before it is done */
    char error_code[32]; /* "" when none */
    char error[256];
} gb_job_info;

typedef int (*gb_job_fn)(void *user, const gb_job_info *info);
GB_API GB_CHECK gb_status gb_client_job_list(gb_client *client, gb_job_fn each, void *user);
GB_API GB_CHECK gb_status gb_client_job_show(gb_job_info *out, gb_client *client, const char *id);
/* Follows a job to its end; progress goes to the context's hook. A failed job answers GB_OK here: see out->state. */
GB_API GB_CHECK gb_status gb_client_job_watch(gb_job_info *out, gb_client *client, const char *id);
GB_API GB_CHECK gb_status gb_client_job_cancel(gb_client *client, const char *id);

#ifdef __cplusplus
}
#endif
#endif
