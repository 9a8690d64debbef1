/* client/note: what the owner wants to remember of a dataset (its name and how to unpack it), sealed into the label
 * that the server keeps without understanding it. */
#ifndef GB_CLIENT_NOTE_H
#define GB_CLIENT_NOTE_H

#include "client/internal.h"

#define GB_NOTE_NAME_MAX 80
#define GB_NOTE_LABEL_MAX 200 /* characters of a label at the server */

typedef enum gb_note_kind {
    GB_NOTE_STACK = 1, /* lines (z, strip of rows, x): pixel (x, y) of section z */
    GB_NOTE_VOLUME = 2 /* lines (z, x) of a reconstruction, with its point-symmetric copies; see gb_tomo_unpack */
} gb_note_kind;

typedef struct gb_note {
    gb_note_kind kind;
    unsigned sample; /* STACK: gb_sample of the file it came from, so that integers come back as they were */
    uint32_t nx, ny, nz, copies; /* of the array that is unpacked: STACK nz sections; VOLUME nz is the thickness */
    float pixel[3];              /* angstrom, in the order of the file that get writes */
    char name[GB_NOTE_NAME_MAX + 1];
} gb_note;

/* Seals with a key derived from the open secret, a fresh nonce each time; URL-safe text. */
GB_CHECK gb_status gb_note_seal(char label[GB_NOTE_LABEL_MAX + 1], gb_client *c, const gb_note *note);
/* Errors (all quiet: callers may go on without): KEY (not sealed under the open key), FORMAT. */
GB_CHECK gb_status gb_note_open(gb_note *out, gb_client *c, const char *label);

#endif
