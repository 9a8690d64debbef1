/* What the parsers of tilt angles share. Private to format/tilt. */
#ifndef GB_FORMAT_TILT_H
#define GB_FORMAT_TILT_H

#include "format/format.h"

#define TILT_MAX_ANGLES ((size_t)1 << 20)

/* A text in lines, without its line ends ("\n" or "\r\n"). */
typedef struct tilt_lines {
    const char *at, *end;
    size_t number; /* of the line given last, from 1 */
} tilt_lines;
tilt_lines gb_tilt_lines(const char *text, size_t n); /* skips a UTF-8 byte order mark */
bool gb_tilt_next(tilt_lines *l, const char **line, size_t *n);

bool gb_tilt_space(char c); /* blank or tab, whatever the locale */
/* Reads one decimal number ("-1.5e-3") at *at, after blanks, and moves *at past it; within 1 ulp for 19 digits or
 * fewer. Own code because strtod follows the locale's decimal point and takes "nan", "inf" and hexadecimal. */
bool gb_tilt_number(double *out, const char **at, const char *end);

/* Checks |angle| <= 180 and appends; out->angles has room for *room and grows. */
GB_CHECK gb_status gb_tilt_append(gb_tilts *out, size_t *room, gb_ctx *ctx, const char *name, size_t line,
                                  double angle);

#endif
