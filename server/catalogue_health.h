/* Whether the catalogue can be written and read, as the API tells it.
 * Thread: the server's loop, or the pool for plain functions on values. */
#ifndef SERVER_CATALOGUE_HEALTH_H
#define SERVER_CATALOGUE_HEALTH_H

#include <jansson.h>

#include "storage/catalogue.h"

json_t *catalogue_health_json(enum catalogue_trouble trouble);

/* [loop] ctx is the struct server: tells open pages of those who may manage the system. */
void catalogue_health_changed(void *ctx);

#endif
