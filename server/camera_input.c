#include "server/camera_input.h"

#include <string.h>

#include "base/mem.h"
#include "net/url.h"

void camera_input_defaults(struct camera_row *r, const char *id, int64_t now_us)
{
    *r = (struct camera_row){.id = xstrdup(id),
                             .name = xstrdup(""),
                             .institution_id = xstrdup(""),
                             .area = xstrdup(""),
                             .area_type = xstrdup("other"),
                             .main_url = xstrdup(""),
                             .sub_url = xstrdup(""),
                             .username = xstrdup(""),
                             .transport = xstrdup("auto"),
                             .record = xstrdup("main"),
                             .is_enabled = true,
                             .created_us = now_us};
}

void camera_input_copy(struct camera_row *r, const struct camera_row *old)
{
    *r = (struct camera_row){.id = xstrdup(old->id),
                             .name = xstrdup(old->name),
                             .institution_id = xstrdup(old->institution_id),
                             .area = xstrdup(old->area),
                             .area_type = xstrdup(old->area_type),
                             .main_url = xstrdup(old->main_url),
                             .sub_url = xstrdup(old->sub_url),
                             .username = xstrdup(old->username),
                             .transport = xstrdup(old->transport),
                             .record = xstrdup(old->record),
                             .is_on_demand = old->is_on_demand,
                             .is_enabled = old->is_enabled,
                             .retention_days = old->retention_days,
                             .created_us = old->created_us};
    if (old->password != NULL) {
        r->password = xmalloc(old->password_bytes);
        r->password_bytes = old->password_bytes;
        memcpy(r->password, old->password, old->password_bytes);
    }
}

bool camera_input_password(struct camera_row *r, const struct secrets *s, const char *password)
{
    char old[512];
    if (r->password == NULL && password[0] == '\0')
        return false;
    if (r->password != NULL &&
        secrets_unseal(s, r->password, r->password_bytes, old, sizeof old) == 0 &&
        strcmp(old, password) == 0)
        return false;
    FREE(&r->password);
    r->password_bytes = 0;
    if (password[0] != '\0')
        r->password = secrets_seal(s, password, &r->password_bytes);
    return true;
}

bool camera_input_take_credentials(struct camera_row *r, const struct secrets *s, bool has_own_user)
{
    char **const texts[] = {&r->main_url, &r->sub_url};
    bool is_changed = false;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct url u;
        char plain[URL_TEXT_BYTES];
        if ((*texts[i])[0] == '\0' || url_parse_any(*texts[i], &u, NULL) < 0 || u.user[0] == '\0' ||
            !url_print(&u, plain, sizeof plain))
            continue;
        free(*texts[i]);
        *texts[i] = xstrdup(plain);
        if (has_own_user)
            continue;
        has_own_user = true; /* one user per camera: the main stream's */
        free(r->username);
        r->username = xstrdup(u.user);
        is_changed = camera_input_password(r, s, u.password);
    }
    return is_changed;
}

bool camera_input_same(const struct camera_row *a, const struct camera_row *b)
{
    const char *const texts[][2] = {
        {a->name, b->name},         {a->institution_id, b->institution_id},
        {a->area, b->area},         {a->area_type, b->area_type},
        {a->main_url, b->main_url}, {a->sub_url, b->sub_url},
        {a->username, b->username}, {a->transport, b->transport},
        {a->record, b->record}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strcmp(texts[i][0], texts[i][1]) != 0)
            return false;
    }
    return a->is_on_demand == b->is_on_demand && a->is_enabled == b->is_enabled &&
           a->retention_days == b->retention_days;
}
