/* Hash map from a C string (copied) to a pointer (not owned). Thread: belongs to one owner.
 * Iteration order is unspecified; nothing may be added or removed while iterating. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct map;

struct map *map_create(void);
void map_destroy(struct map **m);                           /* values are left alone */
void *map_get(const struct map *m, const char *key);        /* NULL when absent */
void *map_put(struct map *m, const char *key, void *value); /* the value replaced, or NULL */
void *map_remove(struct map *m, const char *key);           /* the value removed, or NULL */
size_t map_count(const struct map *m);

/* Start with *pos = 0; false at the end. */
bool map_next(const struct map *m, size_t *pos, const char **out_key, void **out_value);

#endif
