#include "server/access.h"

#include <string.h>

#define BIT(p) (1u << (p))
#define ALL    (BIT(PERM_COUNT) - 1)

static const struct {
    const char *name;
    unsigned permissions;
} roles[] = {
    {"admin", ALL},
};

const char *permission_name(enum permission p)
{
    static const char *const names[PERM_COUNT] = {
        [PERM_NONE] = "",
        [PERM_VIEW_LIVE] = "view_live",
        [PERM_VIEW_RECORDED] = "view_recorded",
        [PERM_EXPORT] = "export",
        [PERM_HOLD] = "hold",
        [PERM_VIEW_REPORTS] = "view_reports",
        [PERM_EDIT_DISTRICT] = "edit_district",
        [PERM_MANAGE_USERS] = "manage_users",
        [PERM_MANAGE_SYSTEM] = "manage_system",
    };
    return names[p];
}

static unsigned permissions_of(const char *role)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (strcmp(roles[i].name, role) == 0)
            return roles[i].permissions;
    }
    return 0;
}

bool role_is_known(const char *role)
{
    return permissions_of(role) != 0;
}

bool user_may(const struct user *u, enum permission p)
{
    return (permissions_of(u->role) & BIT(p)) != 0;
}

bool access_sees(const struct user *u, const struct district *d, const struct node *n)
{
    struct node scope;
    return district_node(d, u->scope, &scope) == 0 && node_contains(&scope, n);
}

int access_check(const struct user *u, enum permission p, const struct district *d,
                 const struct node *n)
{
    if (!access_sees(u, d, n))
        return ERR_NOT_FOUND;
    return user_may(u, p) ? 0 : ERR_FORBIDDEN;
}
