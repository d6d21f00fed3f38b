#include "picture.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "font.h"

struct color color_rgb(uint32_t rgb)
{
    double r = (rgb >> 16) & 0xff;
    double g = (rgb >> 8) & 0xff;
    double b = rgb & 0xff;
    return (struct color){
        .y = (uint8_t)lrint(16 + 0.257 * r + 0.504 * g + 0.098 * b),
        .u = (uint8_t)lrint(128 - 0.148 * r - 0.291 * g + 0.439 * b),
        .v = (uint8_t)lrint(128 + 0.439 * r - 0.368 * g - 0.071 * b),
    };
}

/* One of the three planes with the factor from heights to its pixels. */
struct plane {
    uint8_t *data;
    int stride, width, height;
    double scale;
    int value;
};

static struct plane plane_of(const struct picture *p, int i, struct color c)
{
    int shift = i > 0;
    return (struct plane){
        .data = p->plane[i],
        .stride = p->stride[i],
        .width = p->width >> shift,
        .height = p->height >> shift,
        .scale = (double)(p->height >> shift),
        .value = i == 0   ? c.y
                 : i == 1 ? c.u
                          : c.v,
    };
}

static void blend(uint8_t *at, int value, int alpha256)
{
    *at = (uint8_t)(*at + (((value - *at) * alpha256 + 128) >> 8));
}

static void blend_run(const struct plane *pl, int y, int x0, int x1, int alpha256)
{
    x0 = MAX(x0, 0);
    x1 = MIN(x1, pl->width);
    if (x0 >= x1)
        return;
    uint8_t *row = pl->data + (ptrdiff_t)y * pl->stride;
    if (alpha256 >= 256) {
        memset(row + x0, pl->value, (size_t)(x1 - x0));
        return;
    }
    for (int x = x0; x < x1; x++)
        blend(row + x, pl->value, alpha256);
}

/* Where the outline of a convex quad crosses the height y. */
static bool quad_span(const struct point c[4], double y, double *out_left, double *out_right)
{
    double left = INFINITY;
    double right = -INFINITY;
    for (int i = 0; i < 4; i++) {
        struct point a = c[i];
        struct point b = c[(i + 1) % 4];
        if ((a.y <= y) == (b.y <= y))
            continue;
        double x = a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x);
        left = MIN(left, x);
        right = MAX(right, x);
    }
    *out_left = left;
    *out_right = right;
    return left < right;
}

void picture_quad(struct picture *p, const struct point corners[4], struct color c, double alpha)
{
    double top = MIN(MIN(corners[0].y, corners[1].y), MIN(corners[2].y, corners[3].y));
    double bottom = MAX(MAX(corners[0].y, corners[1].y), MAX(corners[2].y, corners[3].y));
    for (int i = 0; i < 3; i++) {
        struct plane pl = plane_of(p, i, c);
        int y1 = MIN((int)ceil(bottom * pl.scale), pl.height);
        for (int y = MAX((int)floor(top * pl.scale), 0); y < y1; y++) {
            double left;
            double right;
            if (quad_span(corners, (y + 0.5) / pl.scale, &left, &right))
                blend_run(&pl, y, (int)lrint(left * pl.scale), (int)lrint(right * pl.scale),
                          (int)(alpha * 256));
        }
    }
}

void picture_rect(struct picture *p, double x0, double y0, double x1, double y1, struct color c,
                  double alpha)
{
    const struct point corners[4] = {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}};
    picture_quad(p, corners, c, alpha);
}

void picture_disc(struct picture *p, struct point centre, double rx, double ry, struct color c,
                  double alpha)
{
    for (int i = 0; i < 3; i++) {
        struct plane pl = plane_of(p, i, c);
        double cx = centre.x * pl.scale;
        double cy = centre.y * pl.scale;
        double a = MAX(rx * pl.scale, 0.5);
        double b = MAX(ry * pl.scale, 0.5);
        int y1 = MIN((int)ceil(cy + b), pl.height);
        for (int y = MAX((int)floor(cy - b), 0); y < y1; y++) {
            double dy = (y + 0.5 - cy) / b;
            double half = dy * dy < 1 ? a * sqrt(1 - dy * dy) : 0;
            int x0 = (int)floor(cx - half);
            int x1 = (int)ceil(cx + half);
            blend_run(&pl, y, x0 + 1, x1 - 1, (int)(alpha * 256));
            /* the pixels at both ends are covered in part */
            double part = half > 0 ? cx + half - floor(cx + half) : 0;
            blend_run(&pl, y, x1 - 1, x1, (int)(alpha * part * 256));
            part = half > 0 ? ceil(cx - half) - (cx - half) : 0;
            blend_run(&pl, y, x0, x0 + 1, (int)(alpha * part * 256));
        }
    }
}

void picture_gradient(struct picture *p, double y0, double y1, struct color top,
                      struct color bottom)
{
    for (int i = 0; i < 3; i++) {
        struct plane pl = plane_of(p, i, top);
        int from = pl.value;
        int to = plane_of(p, i, bottom).value;
        int end = MIN((int)lrint(y1 * pl.scale), pl.height);
        for (int y = MAX((int)lrint(y0 * pl.scale), 0); y < end; y++) {
            double t = (y / pl.scale - y0) / (y1 - y0);
            pl.value = (int)lrint(from + (to - from) * t);
            blend_run(&pl, y, 0, pl.width, 256);
        }
    }
}

#define LETTER_DOTS 6 /* with the gap behind it */

int picture_text_width(int dot, const char *text)
{
    return (int)strlen(text) * LETTER_DOTS * dot + 3 * dot;
}

static void fill_dot(struct picture *p, int x, int y, int dot)
{
    for (int row = y; row < MIN(y + dot, p->height); row++)
        if (row >= 0 && x >= 0 && x + dot <= p->width)
            memset(p->plane[0] + (ptrdiff_t)row * p->stride[0] + x, 235, (size_t)dot);
}

void picture_text(struct picture *p, int x, int y, int dot, const char *text)
{
    double h = p->height;
    double right = x + picture_text_width(dot, text);
    picture_rect(p, x / h, y / h, right / h, (y + 11 * dot) / h, (struct color){16, 128, 128}, 0.6);
    x += 2 * dot;
    y += 2 * dot;
    for (; *text; text++, x += LETTER_DOTS * dot) {
        const uint8_t *rows = font_letter(*text);
        for (int row = 0; row < FONT_ROWS; row++)
            for (int col = 0; col < FONT_COLUMNS; col++)
                if (rows[row] & (0x10 >> col))
                    fill_dot(p, x + col * dot, y + row * dot, dot);
    }
}

void picture_noise(struct picture *p, int amount, uint32_t seed)
{
    uint32_t s = seed * 2654435761u + 1;
    for (int y = 0; y < p->height; y++) {
        uint8_t *row = p->plane[0] + (ptrdiff_t)y * p->stride[0];
        for (int x = 0; x < p->width; x++) {
            s ^= s << 13;
            s ^= s >> 17;
            s ^= s << 5;
            int v = row[x] + (int)(s >> 16) % (2 * amount + 1) - amount;
            row[x] = (uint8_t)CLAMP(v, 16, 235);
        }
    }
}

void picture_copy(struct picture *dst, const struct picture *src)
{
    for (int i = 0; i < 3; i++) {
        int shift = i > 0;
        for (int y = 0; y < src->height >> shift; y++)
            memcpy(dst->plane[i] + (ptrdiff_t)y * dst->stride[i],
                   src->plane[i] + (ptrdiff_t)y * src->stride[i], (size_t)(src->width >> shift));
    }
}
