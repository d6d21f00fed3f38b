#include "scene_priv.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define ASPECT   (16.0 / 9.0)
#define SKIN     0xe3b590
#define HAIR     0x2e2622
#define TROUSERS 0x3a4250
#define TWO_PI   6.283185307179586

struct scene {
    const struct room *room;
    unsigned seed;
    bool is_mirrored;
    char label[64];
    struct picture ground; /* everything that never moves */
    uint8_t *memory;
};

const char *scene_name(enum scene_kind kind)
{
    return scene__rooms[kind].name;
}

bool scene_of(const char *name, enum scene_kind *out)
{
    for (int i = 0; i < SCENE_KINDS; i++) {
        if (strcmp(scene__rooms[i].name, name) == 0) {
            *out = (enum scene_kind)i;
            return true;
        }
    }
    return false;
}

static struct point mirror(const struct scene *s, struct point at)
{
    return s->is_mirrored ? (struct point){ASPECT - at.x, at.y} : at;
}

static void draw_shape(const struct scene *s, struct picture *p, const struct shape *shape)
{
    struct color c = color_rgb(shape->rgb);
    const double *a = shape->at;
    struct point corners[4];
    switch (shape->kind) {
    case SHAPE_QUAD:
        for (int i = 0; i < 4; i++)
            corners[i] = mirror(s, (struct point){a[2 * i], a[2 * i + 1]});
        picture_quad(p, corners, c, 1);
        break;
    case SHAPE_RECT:
        corners[0] = mirror(s, (struct point){a[0], a[1]});
        corners[1] = mirror(s, (struct point){a[2], a[3]});
        picture_rect(p, MIN(corners[0].x, corners[1].x), a[1], MAX(corners[0].x, corners[1].x),
                     a[3], c, 1);
        break;
    case SHAPE_DISC:
        picture_disc(p, mirror(s, (struct point){a[0], a[1]}), a[2], a[3], c, 1);
        break;
    }
}

static void draw_ground(struct scene *s)
{
    const struct room *r = s->room;
    struct picture *p = &s->ground;
    picture_gradient(p, 0, r->horizon, color_rgb(r->wall_top), color_rgb(r->wall_bottom));
    picture_gradient(p, r->horizon, 1.01, color_rgb(r->floor_far), color_rgb(r->floor_near));
    for (size_t i = 0; i < r->n_shapes; i++)
        draw_shape(s, p, &r->shapes[i]);
    /* a little grain, so that the ground is no flat colour an encoder gets for nothing */
    picture_noise(p, 2, s->seed + 1);
}

struct scene *scene_create(const struct scene_params *params)
{
    struct scene *s = xcalloc(1, sizeof *s);
    s->room = &scene__rooms[params->kind];
    s->seed = params->seed;
    s->is_mirrored = params->seed % 2 == 1;
    str_copy(s->label, sizeof s->label, params->label ? params->label : "");

    int w = params->width;
    int h = params->height;
    size_t luma = (size_t)w * (size_t)h;
    s->memory = xmalloc(luma * 3 / 2);
    s->ground = (struct picture){
        .width = w,
        .height = h,
        .plane = {s->memory, s->memory + luma, s->memory + luma + luma / 4},
        .stride = {w, w / 2, w / 2},
    };
    draw_ground(s);
    return s;
}

void scene_destroy(struct scene **s)
{
    if (!*s)
        return;
    free((*s)->memory);
    FREE(s);
}

static double wave(double t, double period, double phase)
{
    return sin(TWO_PI * (t / period + phase));
}

/* A limb from one point to another. */
static void draw_limb(struct picture *p, struct point a, struct point b, double width,
                      struct color c)
{
    double dx = b.x - a.x;
    double dy = b.y - a.y;
    double len = MAX(hypot(dx, dy), 1e-6);
    double nx = -dy / len * width / 2;
    double ny = dx / len * width / 2;
    const struct point corners[4] = {
        {a.x + nx, a.y + ny}, {b.x + nx, b.y + ny}, {b.x - nx, b.y - ny}, {a.x - nx, a.y - ny}};
    picture_quad(p, corners, c, 1);
}

struct pose {
    struct point feet;
    double height;
    double step;  /* -1 to 1: how far the legs are apart */
    double reach; /* 0 to 1: how high the arms are */
    bool is_child, is_sitting;
    uint32_t shirt;
};

static void draw_person(struct picture *p, const struct pose *o)
{
    double h = o->height;
    double leg = o->is_sitting ? 0.12 * h : 0.44 * h;
    double head = (o->is_child ? 0.125 : 0.085) * h;
    double x = o->feet.x;
    struct point hip = {x, o->feet.y - leg};
    struct point neck = {x, hip.y - 0.33 * h};
    struct color shirt = color_rgb(o->shirt);
    struct color dark = color_rgb(TROUSERS);
    double swing = o->step * 0.10 * h;

    picture_disc(p, o->feet, 0.16 * h, 0.035 * h, (struct color){16, 128, 128}, 0.3);
    draw_limb(p, hip, (struct point){x - swing, o->feet.y}, 0.10 * h, dark);
    draw_limb(p, hip, (struct point){x + swing, o->feet.y}, 0.10 * h, dark);
    struct point hand = {x + swing * 0.8 + 0.12 * h * o->reach,
                         neck.y + (0.30 - 0.45 * o->reach) * h};
    draw_limb(p, (struct point){x - 0.07 * h, neck.y + 0.05 * h},
              (struct point){x - 0.11 * h + swing * 0.8, hip.y}, 0.06 * h, shirt);
    const struct point torso[4] = {{x - 0.09 * h, neck.y + 0.02 * h},
                                   {x + 0.09 * h, neck.y + 0.02 * h},
                                   {x + 0.075 * h, hip.y + 0.03 * h},
                                   {x - 0.075 * h, hip.y + 0.03 * h}};
    picture_quad(p, torso, shirt, 1);
    draw_limb(p, (struct point){x + 0.07 * h, neck.y + 0.05 * h}, hand, 0.06 * h, shirt);
    picture_disc(p, hand, 0.03 * h, 0.03 * h, color_rgb(SKIN), 1);
    picture_disc(p, (struct point){x, neck.y - head * 0.9}, head * 0.95, head, color_rgb(HAIR), 1);
    picture_disc(p, (struct point){x, neck.y - head * 0.65}, head * 0.75, head * 0.72,
                 color_rgb(SKIN), 1);
}

static void draw_sleeper(struct picture *p, struct point at, double turn, uint32_t shirt)
{
    struct color blanket = color_rgb(shirt);
    double shift = 0.02 * turn;
    picture_disc(p, (struct point){at.x + 0.02 + shift, at.y - 0.055}, 0.034, 0.03, color_rgb(HAIR),
                 1);
    picture_disc(p, (struct point){at.x + 0.02 + shift * 1.4, at.y - 0.05}, 0.024, 0.022,
                 color_rgb(SKIN), 1);
    picture_disc(p, (struct point){at.x + shift, at.y + 0.035}, 0.115 - 0.02 * turn,
                 0.062 + 0.018 * turn, blanket, 1);
}

static void draw_actor(const struct scene *s, struct picture *p, const struct actor *a, double t)
{
    const struct room *r = s->room;
    double in = fmod(t + a->phase_s + s->seed * 7.3, a->period_s);
    double u = in < a->active_s ? in / a->active_s : -1;
    struct pose pose = {.is_child = a->is_child, .shirt = a->shirt, .feet = a->from};

    switch (a->kind) {
    case MOVE_WALK:
        if (u < 0)
            return;
        pose.feet.x = a->from.x + u * (a->to.x - a->from.x);
        pose.feet.y = a->from.y + u * (a->to.y - a->from.y);
        pose.step = wave(in, 0.9, 0);
        break;
    case MOVE_PLAY:
        pose.feet.x += a->to.x * wave(t, a->period_s, a->phase_s);
        pose.feet.y += a->to.y * wave(t, a->period_s * 0.63, a->phase_s);
        pose.step = wave(t, 0.7, a->phase_s);
        pose.reach = 0.5 + 0.5 * wave(t, 2.3, a->phase_s);
        break;
    case MOVE_SIT:
        pose.is_sitting = true;
        pose.reach = u < 0 ? 0 : 0.5 - 0.5 * cos(TWO_PI * u * 2);
        break;
    case MOVE_TURN:
        draw_sleeper(p, mirror(s, a->from), u < 0 ? 0 : sin(TWO_PI * u), a->shirt);
        return;
    }
    double depth = (pose.feet.y - r->horizon) / (1 - r->horizon);
    pose.height = r->size_far + (r->size_near - r->size_far) * depth;
    if (a->is_child)
        pose.height *= 0.62;
    pose.feet = mirror(s, pose.feet);
    draw_person(p, &pose);
}

static void draw_tree(const struct scene *s, struct picture *p, double t)
{
    static const struct {
        double x, y, r;
        uint32_t rgb;
    } leaves[] = {{0.28, 0.24, 0.09, 0x3f7d45},
                  {0.42, 0.22, 0.10, 0x478a4c},
                  {0.34, 0.14, 0.10, 0x57a05a},
                  {0.35, 0.26, 0.08, 0x4d9150}};
    for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
        double sway = 0.004 * wave(t, 5.0, 0.1 * (double)i);
        struct point at = mirror(s, (struct point){leaves[i].x + sway, leaves[i].y});
        picture_disc(p, at, leaves[i].r, leaves[i].r * 0.9, color_rgb(leaves[i].rgb), 1);
    }
}

/* In the lower right corner: the upper corners and the lower left are where walls write. */
static void draw_captions(const struct scene *s, struct picture *p, int64_t wall_us, uint64_t frame)
{
    int dot = MAX(p->height / 180, 1);
    int margin = 3 * dot;
    int line = 11 * dot;
    char text[96];
    time_t seconds = (time_t)(wall_us / US_PER_S);
    struct tm tm;
    localtime_r(&seconds, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%d #%06llu", (int)(wall_us / 100000 % 10),
             (unsigned long long)frame);
    picture_text(p, p->width - picture_text_width(dot, text) - margin, p->height - line - margin,
                 dot, text);
    picture_text(p, p->width - picture_text_width(dot, s->label) - margin,
                 p->height - 2 * line - margin, dot, s->label);
}

void scene_draw(const struct scene *s, struct picture *p, int64_t wall_us, uint64_t frame)
{
    double t = (double)(wall_us % (86400 * US_PER_S)) / US_PER_S;
    picture_copy(p, &s->ground);
    if (s->room->has_swaying_tree)
        draw_tree(s, p, t);
    for (size_t i = 0; i < s->room->n_actors; i++)
        draw_actor(s, p, &s->room->actors[i], t);
    draw_captions(s, p, wall_us, frame);
}
