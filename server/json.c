#include "server/json.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

void json_put(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value);
}

void json_put_text(json_t *o, const char *key, const char *value)
{
    json_t *v = json_string(value);
    if (v == NULL) /* not UTF-8: from a device; shown as far as it can be */
        v = json_string("?");
    json_put(o, key, v);
}

void json_put_int(json_t *o, const char *key, int64_t value)
{
    json_put(o, key, json_integer(value));
}

void json_put_real(json_t *o, const char *key, double value)
{
    json_put(o, key, isfinite(value) ? json_real(value) : json_null());
}

void json_put_bool(json_t *o, const char *key, bool value)
{
    json_put(o, key, json_boolean(value));
}

void json_put_null(json_t *o, const char *key)
{
    json_put(o, key, json_null());
}

void json_put_time(json_t *o, const char *key, int64_t wall_us)
{
    char text[CLOCK_RFC3339_BYTES];
    if (wall_us == 0)
        json_put_null(o, key);
    else
        json_put_text(o, key, rfc3339_print(wall_us, text));
}

void json_put_word(json_t *o, const struct err *err)
{
    char value[ERR_MSG_BYTES];
    if (err->word == NULL)
        return;
    json_t *params = json_array();
    for (unsigned i = 0; i < err->n_values; i++) {
        err_value(err, i, value, sizeof value);
        json_t *text = json_string(value);
        json_array_append_new(params, text != NULL ? text : json_string("?"));
    }
    json_put_text(o, "code", err->word);
    json_put(o, "params", params);
}

json_t *json_list(json_t *items)
{
    json_t *o = json_object();
    json_put(o, "items", items);
    json_put_null(o, "next");
    return o;
}

int json_take_text(const json_t *o, const char *key, char **out, struct err *err)
{
    json_t *v = json_object_get(o, key);
    if (v == NULL)
        return 0;
    if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
        return err_text(err, ERR_INVALID, "%s: text is expected", key);
    free(*out);
    *out = xstrdup(json_string_value(v));
    return 1;
}

int json_take_bool(const json_t *o, const char *key, bool *out, struct err *err)
{
    json_t *v = json_object_get(o, key);
    if (v == NULL)
        return 0;
    if (!json_is_boolean(v))
        return err_text(err, ERR_INVALID, "%s: true or false is expected", key);
    *out = json_is_true(v);
    return 1;
}

int json_take_int(const json_t *o, const char *key, int *out, struct err *err)
{
    json_t *v = json_object_get(o, key);
    if (v == NULL)
        return 0;
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < -1000000000 || n > 1000000000)
        return err_text(err, ERR_INVALID, "%s: a whole number is expected", key);
    *out = (int)n;
    return 1;
}

int json_only_keys(const json_t *o, const char *const *keys, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)o, key, value)
    {
        const char *const *k = keys;
        while (*k != NULL && strcmp(*k, key) != 0)
            k++;
        if (*k == NULL)
            return err_text(err, ERR_INVALID, "%.64s: there is no such member", key);
    }
    return 0;
}
