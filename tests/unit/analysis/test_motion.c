#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/motion.h"
#include "base/clock.h"
#include "base/mem.h"

enum { COLS = 80, ROWS = 60 };

/* A room seen by a camera: a pattern, light, noise and perhaps somebody. */
struct scene {
    double gain, offset, noise; /* noise: steps of a block mean */
    int x, y, w, h;             /* somebody, in blocks; w 0 = nobody */
    int luma;
    double bend;  /* exponent of a tone curve; 0 = straight */
    int lit_cols; /* gain and offset reach only so many columns; 0 = all */
    uint32_t seed;
    int64_t wall_us;
    struct motion *motion;
};

static double noise_of(struct scene *s)
{
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        s->seed = s->seed * 1664525 + 1013904223;
        sum += (double)(s->seed >> 8) / (1 << 24) - 0.5;
    }
    return sum * s->noise * 1.7;
}

static struct motion_result next_picture(struct scene *s)
{
    static struct luma_grid grid;
    grid.cols = COLS;
    grid.rows = ROWS;
    for (int y = 0; y < ROWS; y++) {
        for (int x = 0; x < COLS; x++) {
            double v = 60 + x + ((x / 7 + y / 5) % 3) * 25;
            if (x >= s->x && x < s->x + s->w && y >= s->y && y < s->y + s->h)
                v = s->luma;
            if (!s->lit_cols || x < s->lit_cols)
                v = v * s->gain + s->offset;
            if (s->bend != 0)
                v = 255 * pow(v / 255, s->bend);
            v += noise_of(s);
            grid.mean[y * COLS + x] = (uint16_t)(CLAMP(v, 0.0, 255.0) * 256);
        }
    }
    struct motion_result result;
    s->wall_us += 2 * US_PER_S;
    motion_update(s->motion, &grid, s->wall_us, &result);
    return result;
}

static struct scene quiet_room(void)
{
    struct scene s = {.gain = 1, .noise = 0.5, .luma = 200, .seed = 7, .motion = motion_create()};
    for (int i = 0; i < 10; i++)
        assert_false(next_picture(&s).is_motion);
    return s;
}

static void learns_before_it_speaks(void **state)
{
    (void)state;
    struct scene s = {.gain = 1, .noise = 0.5, .seed = 1, .motion = motion_create()};
    assert_true(next_picture(&s).is_learning);
    assert_false(next_picture(&s).is_learning);
    motion_destroy(&s.motion);
}

static void sees_a_small_mover_and_where(void **state)
{
    (void)state;
    struct scene s = quiet_room();
    s.w = 1;
    s.h = 3;
    for (int i = 0; i < 6; i++) {
        s.x = 40 + 3 * i;
        s.y = 30;
        struct motion_result r = next_picture(&s);
        assert_true(r.is_motion);
        assert_true(r.x <= s.x / 80.0 + 1e-9 && r.x + r.w >= (s.x + 1) / 80.0 - 1e-9);
        assert_true(r.y <= 0.5 + 1e-9 && r.y + r.h >= 33 / 60.0 - 1e-9);
        assert_true(r.w < 0.1 && r.h < 0.1);
        assert_true(r.score > 0 && r.score < 0.1);
    }
    motion_destroy(&s.motion);
}

static void ignores_slow_light(void **state)
{
    (void)state;
    struct scene s = quiet_room();
    for (int i = 0; i < 40; i++) {
        s.gain = 1 + 0.3 * (i < 20 ? i : 40 - i) / 20.0;
        assert_false(next_picture(&s).is_motion);
    }
    motion_destroy(&s.motion);
}

static void ignores_light_switched_on_and_off(void **state)
{
    (void)state;
    struct scene s = quiet_room();
    s.gain = 0.5;
    for (int i = 0; i < 5; i++)
        assert_false(next_picture(&s).is_motion);
    s.gain = 1;
    s.offset = 20;
    for (int i = 0; i < 5; i++)
        assert_false(next_picture(&s).is_motion);
    motion_destroy(&s.motion);
}

static void ignores_light_that_clips(void **state)
{
    (void)state;
    struct scene s = quiet_room();
    for (int i = 0; i < 60; i++) {
        s.gain = 1 + 0.8 * (i < 30 ? i : 60 - i) / 30.0;
        assert_false(next_picture(&s).is_motion);
    }
    s.gain = 1.8;
    for (int i = 0; i < 5; i++)
        assert_false(next_picture(&s).is_motion);
    s.gain = 1;
    for (int i = 0; i < 5; i++)
        assert_false(next_picture(&s).is_motion);
    motion_destroy(&s.motion);
}

static void ignores_a_camera_that_bends_its_tones(void **state)
{
    (void)state;
    static const double bends[] = {0.5, 0.7, 1.4};
    for (size_t i = 0; i < ARRAY_LEN(bends); i++) {
        struct scene s = quiet_room();
        s.bend = bends[i];
        for (int k = 0; k < 4; k++)
            assert_false(next_picture(&s).is_motion);
        s.bend = 0;
        for (int k = 0; k < 4; k++)
            assert_false(next_picture(&s).is_motion);
        motion_destroy(&s.motion);
    }
}

static void ignores_a_lamp_that_lights_a_part(void **state)
{
    (void)state;
    for (int cols = 10; cols < 80; cols += 10) {
        if (cols >= 40 && cols <= 60)
            continue; /* about half: nobody can tell which half changed */
        struct scene s = quiet_room();
        s.lit_cols = cols;
        s.gain = 1.4;
        for (int i = 0; i < 5; i++)
            if (next_picture(&s).is_motion)
                fail_msg("lamp on %d columns switched on", cols);
        s.gain = 1;
        for (int i = 0; i < 5; i++)
            if (next_picture(&s).is_motion)
                fail_msg("lamp on %d columns switched off", cols);
        motion_destroy(&s.motion);
    }
}

static void sees_a_mover_while_light_changes(void **state)
{
    (void)state;
    struct scene s = quiet_room();
    s.gain = 0.6;
    s.x = 10;
    s.y = 20;
    s.w = 3;
    s.h = 8;
    assert_true(next_picture(&s).is_motion);
    motion_destroy(&s.motion);
}

static void ignores_noise_that_rises(void **state)
{
    (void)state;
    struct scene s = quiet_room();
    s.noise = 1.8;
    for (int i = 0; i < 20; i++)
        assert_false(next_picture(&s).is_motion);
    motion_destroy(&s.motion);
}

static void somebody_who_stands_still_is_not_motion(void **state)
{
    (void)state;
    struct scene s = quiet_room();
    s.x = 30;
    s.y = 20;
    s.w = 4;
    s.h = 12;
    assert_true(next_picture(&s).is_motion);
    for (int i = 0; i < 60; i++)
        assert_false(next_picture(&s).is_motion);
    s.w = 0; /* leaves: what was behind shows again */
    assert_true(next_picture(&s).is_motion);
    assert_false(next_picture(&s).is_motion);
    motion_destroy(&s.motion);
}

static void another_scene_is_learnt_anew(void **state)
{
    (void)state;
    struct scene s = quiet_room();
    s.gain = -1; /* dark where it was bright */
    s.offset = 255;
    struct motion_result r = next_picture(&s);
    assert_true(r.is_learning);
    assert_false(r.is_motion);
    assert_false(next_picture(&s).is_motion);
    motion_destroy(&s.motion);
}

static void a_grid_of_another_size_starts_anew(void **state)
{
    (void)state;
    struct scene s = quiet_room();
    static struct luma_grid grid = {.cols = 80, .rows = 45};
    struct motion_result r;
    motion_update(s.motion, &grid, s.wall_us + 1, &r);
    assert_true(r.is_learning);
    static struct luma_grid none = {.cols = 0, .rows = 0};
    motion_update(s.motion, &none, s.wall_us + 2, &r);
    assert_false(r.is_motion);
    static struct luma_grid huge = {.cols = 9999, .rows = 9999};
    motion_update(s.motion, &huge, s.wall_us + 3, &r);
    assert_false(r.is_motion);
    motion_destroy(&s.motion);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_before_it_speaks),
        cmocka_unit_test(sees_a_small_mover_and_where),
        cmocka_unit_test(ignores_slow_light),
        cmocka_unit_test(ignores_light_switched_on_and_off),
        cmocka_unit_test(ignores_light_that_clips),
        cmocka_unit_test(ignores_a_camera_that_bends_its_tones),
        cmocka_unit_test(ignores_a_lamp_that_lights_a_part),
        cmocka_unit_test(sees_a_mover_while_light_changes),
        cmocka_unit_test(ignores_noise_that_rises),
        cmocka_unit_test(somebody_who_stands_still_is_not_motion),
        cmocka_unit_test(another_scene_is_learnt_anew),
        cmocka_unit_test(a_grid_of_another_size_starts_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
