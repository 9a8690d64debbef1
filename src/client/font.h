/* client/font: a 5 x 7 dot font, ASCII 32..126; row r of a character, bit 4 the leftmost dot. */
#ifndef GB_CLIENT_FONT_H
#define GB_CLIENT_FONT_H

#include <stdint.h>

#define GB_FONT_WIDTH 5
#define GB_FONT_HEIGHT 7
extern const uint8_t gb_font[95][GB_FONT_HEIGHT];

#endif
