/* A small district: two townships, three institutions, four cameras. */
#ifndef UNIT_SERVER_UNIT_DISTRICT_H
#define UNIT_SERVER_UNIT_DISTRICT_H

#include "server/district.h"

static inline struct district *unit_district(void)
{
    static const char *const townships[][2] = {{"t-1", "甲镇"}, {"t-2", "乙镇"}};
    static const char *const institutions[][2] = {{"i-1", "t-1"}, {"i-2", "t-1"}, {"i-3", "t-2"}};
    static const char *const cameras[][2] = {
        {"c-1", "i-1"}, {"c-2", "i-1"}, {"c-3", "i-2"}, {"c-4", "i-3"}};
    struct district_rows rows = {.n_townships = 2, .n_institutions = 3, .n_cameras = 4};
    rows.townships = xcalloc(2, sizeof *rows.townships);
    rows.institutions = xcalloc(3, sizeof *rows.institutions);
    rows.cameras = xcalloc(4, sizeof *rows.cameras);
    for (size_t i = 0; i < 2; i++)
        rows.townships[i] =
            (struct township_row){xstrdup(townships[i][0]), xstrdup(townships[i][1])};
    for (size_t i = 0; i < 3; i++)
        rows.institutions[i] = (struct institution_row){.id = xstrdup(institutions[i][0]),
                                                        .name = xstrdup(institutions[i][0]),
                                                        .type = xstrdup(""),
                                                        .township_id = xstrdup(institutions[i][1]),
                                                        .address = xstrdup("street"),
                                                        .contact = xstrdup(""),
                                                        .phone = xstrdup(""),
                                                        .external_id = xstrdup(""),
                                                        .is_enabled = true};
    for (size_t i = 0; i < 4; i++)
        rows.cameras[i] = (struct camera_row){.id = xstrdup(cameras[i][0]),
                                              .name = xstrdup(cameras[i][0]),
                                              .institution_id = xstrdup(cameras[i][1]),
                                              .area = xstrdup(""),
                                              .area_type = xstrdup("other"),
                                              .main_url = xstrdup("rtsp://127.0.0.1/x"),
                                              .sub_url = xstrdup(""),
                                              .username = xstrdup(""),
                                              .transport = xstrdup("auto"),
                                              .record = xstrdup("main"),
                                              .is_enabled = true};
    return district_create(&rows);
}

#endif
