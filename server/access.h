/* Who may do what where: the one choke point. Every route, stream and list passes access_check.
 * Thread: plain functions on immutable values. */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "server/district.h"

enum permission {
    PERM_NONE, /* signed in is enough */
    PERM_VIEW_LIVE,
    PERM_VIEW_RECORDED,
    PERM_EXPORT,
    PERM_HOLD, /* keep recordings from deletion */
    PERM_VIEW_REPORTS,
    PERM_EDIT_DISTRICT,
    PERM_MANAGE_USERS,
    PERM_MANAGE_SYSTEM,
    PERM_COUNT
};
const char *permission_name(enum permission p); /* the API's word */

/* Somebody signed in. A plain value. */
struct user {
    char name[65];
    char role[24];
    char scope[80]; /* a node as district_node reads it; "" = the district */
};

bool role_is_known(const char *role);
bool user_may(const struct user *u, enum permission p);

/* 0; ERR_NOT_FOUND when the node lies outside the user's scope, whatever the role; ERR_FORBIDDEN
 * when the role lacks the permission. */
int access_check(const struct user *u, enum permission p, const struct district *d,
                 const struct node *n);

/* For a user whose scope lost its node (deleted), nothing is in scope. */
bool access_sees(const struct user *u, const struct district *d, const struct node *n);

#endif
