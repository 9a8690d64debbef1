/* client, inside: what its files share. The layer's door is glovebox/client.h. */
#ifndef GB_CLIENT_INTERNAL_H
#define GB_CLIENT_INTERNAL_H

#include "client/keyfile.h"
#include "glovebox/client.h"
#include "program/program.h"
#include "scheme/secret/secret.h"

#define GB_PASSPHRASE_BYTES 1024

struct gb_client {
    gb_ctx *ctx;
    char *keys, *server, *token, *workspace;
    double retry;
    unsigned connections;
    gb_passphrase_fn passphrase;
    void *passphrase_user;
    /* The key that is open, kept so that one command asks once. */
    gb_secret *secret;
    gb_keyset *keyset;
    char key_name[GB_KEY_NAME_MAX + 1];
    char workspace_id[65]; /* "" before the server was asked */
    struct gb_http *http;  /* NULL before the first call */
};

/* ---- keystore.c ---- */
/* Opens the named key into client->secret and keyset; asks for the passphrase unless that key is open already. */
GB_CHECK gb_status gb_keystore_open(gb_client *c, const char *name);
/* The same for a name or, where that is NULL, the only key of these parameters. Errors: KEY (none, several), PARAMS
 * (the named key has others). */
GB_CHECK gb_status gb_keystore_open_for(gb_client *c, const char *name, const char *params);
/* Name of the key with this id into name[GB_KEY_NAME_MAX + 1]; KEY when the store has none. */
GB_CHECK gb_status gb_keystore_find(char *name, gb_client *c, const char *id_hex);

/* ---- client.c ---- */
void gb_copy_text(char *out, size_t capacity, const char *text); /* cut to fit, always ended */
void gb_time_text(char out[24], double seconds);                 /* seconds since 1970, UTC; 0: "" */
/* Temporary folder beside path, for one run; gb_folder_remove deletes it and the files in it (two levels). */
char *gb_folder_beside(gb_ctx *ctx, const char *path);
void gb_folder_remove(const char *dir);

#endif
