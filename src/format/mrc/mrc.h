/* The MRC2014 header (Cheng et al., J. Struct. Biol. 192 (2015) 146; https://www.ccpem.ac.uk/mrc-format/mrc2014), with
 * IMOD's additions (https://bio3d.colorado.edu/imod/doc/mrc_format.txt). Private to format/mrc. */
#ifndef GB_FORMAT_MRC_H
#define GB_FORMAT_MRC_H

#include "format/format.h"

#define MRC_HEADER 1024
#define MRC_LABELS 10
#define MRC_LABEL_BYTES 80
#define MRC_IMOD_STAMP 1146047817u /* IMOD wrote the file and word imodFlags counts */
#define MRC_IMOD_SIGNED 1u         /* imodFlags: mode 0 is int8; else it is uint8 */
#define MRC_IMOD_NIBBLES 16u       /* imodFlags: a byte holds two 4-bit pixels */

/* Byte offsets of the header's words (all 4 bytes). */
enum {
    MRC_NX = 0,
    MRC_MODE = 12,
    MRC_MX = 28,
    MRC_CELL = 40,
    MRC_ANGLES = 52,
    MRC_AXES = 64,
    MRC_DMIN = 76,
    MRC_ISPG = 88,
    MRC_NSYMBT = 92,
    MRC_NVERSION = 108,
    MRC_IMOD_STAMP_AT = 152,
    MRC_IMOD_FLAGS = 156,
    MRC_ORIGIN = 196,
    MRC_MAP = 208,
    MRC_STAMP = 212,
    MRC_RMS = 216,
    MRC_NLABL = 220,
    MRC_LABEL = 224
};

/* IEEE 754 binary16, exact to float, and back to nearest even; a value that rounds past 65504 becomes infinite. */
float gb_mrc_from_half(uint16_t h);
uint16_t gb_mrc_to_half(float f);

#endif
