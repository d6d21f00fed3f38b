/* A camera's row while somebody enters it: through the API or a spreadsheet.
 * Thread: plain functions. */
#ifndef SERVER_CAMERA_INPUT_H
#define SERVER_CAMERA_INPUT_H

#include <stdbool.h>

#include "server/secrets.h"
#include "storage/db_district.h"

/* What a camera is when nothing else is said. camera_row_fini releases it. */
void camera_input_defaults(struct camera_row *r, const char *id, int64_t now_us);
/* A copy of everything, password included. */
void camera_input_copy(struct camera_row *r, const struct camera_row *old);

/* "" removes it. True when it is another one. */
bool camera_input_password(struct camera_row *r, const struct secrets *s, const char *password);

/* User and password inside the addresses move to where they belong, so that they are encrypted at
 * rest and not shown. They give way to a user that was entered by itself. True when the password
 * changed. */
bool camera_input_take_credentials(struct camera_row *r, const struct secrets *s,
                                   bool has_own_user);

/* Everything that can be entered, but the password. */
bool camera_input_same(const struct camera_row *a, const struct camera_row *b);

#endif
