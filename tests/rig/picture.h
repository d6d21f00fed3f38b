/* Drawing into a YUV 4:2:0 picture. Lengths are in picture heights: y from 0 to 1, x from 0 to
 * width/height, so that a shape looks the same at every size.
 * Thread: plain values; the planes belong to somebody else. */
#ifndef RIG_PICTURE_H
#define RIG_PICTURE_H

#include <stdint.h>

struct picture {
    int width, height; /* even */
    uint8_t *plane[3];
    int stride[3];
};

struct color {
    uint8_t y, u, v;
};

/* BT.601, limited range, from 0xRRGGBB. */
struct color color_rgb(uint32_t rgb);

struct point {
    double x, y;
};

/* alpha: 0 leaves the picture as it is, 1 covers it. */
void picture_quad(struct picture *p, const struct point corners[4], struct color c, double alpha);
void picture_disc(struct picture *p, struct point centre, double rx, double ry, struct color c,
                  double alpha);
void picture_rect(struct picture *p, double x0, double y0, double x1, double y1, struct color c,
                  double alpha);

/* From colour `top` at y0 to `bottom` at y1, over the whole width. */
void picture_gradient(struct picture *p, double y0, double y1, struct color top,
                      struct color bottom);

/* A line of text with its upper left corner at a pixel, on a darkened ground. Letters are 5x7 dots
 * of `dot` pixels; lower case is drawn as upper case, unknown bytes as a block. */
void picture_text(struct picture *p, int x, int y, int dot, const char *text);
int picture_text_width(int dot, const char *text); /* pixels with the ground's margin */

/* Adds `amount` levels of noise to the luma, another one for every seed. */
void picture_noise(struct picture *p, int amount, uint32_t seed);
void picture_copy(struct picture *dst, const struct picture *src); /* of equal size */

#endif
