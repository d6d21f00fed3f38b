/* Small helpers over jansson. Thread: belongs to its owner; no json_t crosses threads in use. */
#ifndef SERVER_JSON_H
#define SERVER_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

void json_put_text(json_t *o, const char *key, const char *value);
void json_put_int(json_t *o, const char *key, int64_t value);
void json_put_real(json_t *o, const char *key, double value);
void json_put_bool(json_t *o, const char *key, bool value);
void json_put_null(json_t *o, const char *key);
/* RFC 3339; null for 0. */
void json_put_time(json_t *o, const char *key, int64_t wall_us);
/* Takes value over. */
void json_put(json_t *o, const char *key, json_t *value);
/* `code` and `params` of an error that has a word. */
void json_put_word(json_t *o, const struct err *err);
/* {"items": items, "next": null}; takes items over. */
json_t *json_list(json_t *items);

/* Reading an object a person sent. A missing key leaves *out alone and gives 0; 1 = read; a wrong
 * type is ERR_INVALID naming the key. Text is copied over *out, which is freed first. */
int json_take_text(const json_t *o, const char *key, char **out, struct err *err);
int json_take_bool(const json_t *o, const char *key, bool *out, struct err *err);
int json_take_int(const json_t *o, const char *key, int *out, struct err *err);
/* ERR_INVALID for a key that is not in the NULL-terminated list. */
int json_only_keys(const json_t *o, const char *const *keys, struct err *err);

#endif
