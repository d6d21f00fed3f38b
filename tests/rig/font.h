/* Letters of 5x7 dots for the text in the picture. */
#ifndef RIG_FONT_H
#define RIG_FONT_H

#include <stdint.h>

#define FONT_ROWS    7
#define FONT_COLUMNS 5

/* FONT_ROWS bytes, bit 4 is the leftmost dot. Never NULL. */
const uint8_t *font_letter(char c);

#endif
