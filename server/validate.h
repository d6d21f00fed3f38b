/* What a township, an institution and a camera must be, whoever enters it: the API or an import.
 * Thread: plain functions. */
#ifndef SERVER_VALIDATE_H
#define SERVER_VALIDATE_H

#include <stdbool.h>

#include "base/err.h"
#include "storage/db_district.h"

#define CAMERA_PASSWORD_MAX_BYTES 250

/* ERR_INVALID with a sentence that begins with the field's name: "main_url: …". */
int validate_id(const char *field, const char *id, struct err *err);
int validate_township(const struct township_row *r, struct err *err);
int validate_institution(const struct institution_row *r, struct err *err);
int validate_camera(const struct camera_row *r, struct err *err);
/* Whether a camera whose encoder pushes has a key; call it when the password is settled. */
int validate_push(const struct camera_row *r, struct err *err);

/* The English word for an area type given in English or Chinese ("寝室" → "sleeping"); NULL when
 * unknown. "" gives "other". Also knows the areas where the law forbids cameras, which
 * validate_camera refuses. */
const char *area_type_of(const char *text);
#define AREA_FORBIDDEN_TEXT                                                                        \
    "the law forbids cameras in toilets, changing rooms, nursing rooms and staff rest rooms "      \
    "(公共安全视频图像信息系统管理条例, article 8): it cannot be connected"

/* "main", "sub", "both" or "off" for English or Chinese words; "" gives "main"; NULL = unknown. */
const char *record_of(const char *text);

/* Text as people enter it: UTF-8, no control characters, at most max bytes. */
bool text_is_fit(const char *text, size_t min, size_t max);

#endif
