#include "script.h"

#include <string.h>

#include "base/mem.h"
#include "net/rtsp.h"

static int check_keys(const json_t *o, const char *const *known, const char *what, struct err *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(o))
        return err_text(err, ERR_INVALID, "%s must be an object", what);
    json_object_foreach((json_t *)(uintptr_t)o, key, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return err_text(err, ERR_INVALID, "%s: unknown key %s", what, key);
    }
    return 0;
}

static int check_steps(const json_t *steps, struct err *err)
{
    static const char *const keys[] = {"wait_ms", "send", "hex", "times", "every_ms", "end", NULL};
    size_t i;
    json_t *step;
    if (steps && !json_is_array(steps))
        return err_text(err, ERR_INVALID, "then must be a list");
    json_array_foreach(steps, i, step)
    {
        int rc = check_keys(step, keys, "a step of then", err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int script_check(const json_t *rules, struct err *err)
{
    static const char *const keys[] = {
        "on",        "nth",      "connection",  "uri",      "state",   "request",     "authorized",
        "status",    "headers",  "status_line", "sdp",      "body",    "newline",     "raw",
        "silent",    "delay_ms", "chunk_bytes", "chunk_ms", "channel", "needs_punch", "other_port",
        "new_nonce", "as",       "then",        "setups",   NULL};
    size_t i;
    json_t *rule;
    if (!json_is_array(rules) || json_array_size(rules) > SCRIPT_MAX_RULES)
        return err_text(err, ERR_INVALID, "rtsp must be a list of at most %d rules",
                        SCRIPT_MAX_RULES);
    json_array_foreach(rules, i, rule)
    {
        int rc = check_keys(rule, keys, "a rule", err);
        if (rc >= 0 && !json_is_string(json_object_get(rule, "on")))
            rc = err_text(err, ERR_INVALID, "on must be a method, connect or *");
        if (rc >= 0)
            rc = check_steps(json_object_get(rule, "then"), err);
        if (rc < 0)
            return err_wrap(err, rc, "rtsp rule %zu", i + 1);
    }
    return 0;
}

int script_check_uris(const json_t *uris, struct err *err)
{
    static const char *const names[] = {"main", "sub", "video", "audio"};
    const char *key;
    json_t *value;
    if (!json_is_object(uris))
        return err_text(err, ERR_INVALID, "uris must be an object");
    json_object_foreach((json_t *)(uintptr_t)uris, key, value)
    {
        const char *name = json_is_string(value) ? json_string_value(value) : "";
        size_t i = 0;
        while (i < ARRAY_LEN(names) && strcmp(names[i], name) != 0)
            i++;
        if (i == ARRAY_LEN(names))
            return err_text(err, ERR_INVALID, "uris: %s must be main, sub, video or audio", key);
    }
    return 0;
}

/* `*` stands for any run of bytes. */
static bool globs(struct span text, const char *pattern)
{
    size_t i = 0;
    size_t retry = SIZE_MAX; /* where the text goes on after the last star */
    const char *star = NULL;
    while (i < text.n) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = i;
        } else if (*pattern && *pattern == text.p[i]) {
            pattern++;
            i++;
        } else if (star) {
            pattern = star;
            i = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

/* A pattern with a scheme sees the whole URI, others what follows the host. */
static bool uri_fits(struct span uri, const char *pattern)
{
    struct span rest = uri;
    if (strstr(pattern, "://"))
        return globs(uri, pattern);
    if (span_istarts(rest, "rtsp://")) {
        rest.p += 7;
        rest.n -= 7;
        const char *slash = memchr(rest.p, '/', rest.n);
        rest = slash ? (struct span){slash, (size_t)(rest.p + rest.n - slash)} : SPAN("");
    }
    return globs(rest, pattern);
}

/* 3, "2-4" or "2-" */
static bool in_range(const json_t *range, unsigned value)
{
    unsigned from = 0;
    unsigned to = UINT32_MAX;
    if (!range)
        return true;
    if (json_is_integer(range))
        return value == (unsigned)json_integer_value(range);
    if (sscanf(json_string_value(range) ? json_string_value(range) : "", "%9u-%9u", &from, &to) < 1)
        return false;
    return value >= from && value <= to;
}

/* Header by header: a pattern, or null for "is not there". */
static bool headers_fit(const json_t *wanted, const struct rtsp_message *m)
{
    const char *name;
    json_t *pattern;
    json_object_foreach((json_t *)(uintptr_t)wanted, name, pattern)
    {
        struct span value;
        bool is_there = rtsp_get(m, name, &value);
        if (json_is_null(pattern) ? is_there
                                  : !is_there || !globs(value, json_string_value(pattern)))
            return false;
    }
    return true;
}

static bool text_fits(const json_t *wanted, const char *text)
{
    return !wanted || strcmp(json_string_value(wanted), text) == 0;
}

static bool message_fits(const json_t *rule, const struct rtsp_message *m)
{
    struct span value;
    const json_t *uri = json_object_get(rule, "uri");
    const json_t *authorized = json_object_get(rule, "authorized");
    if (uri && !uri_fits(m->uri, json_string_value(uri)))
        return false;
    if (authorized && json_is_true(authorized) != rtsp_get(m, "Authorization", &value))
        return false;
    return headers_fit(json_object_get(rule, "request"), m);
}

static bool fits(const json_t *rule, const struct script_event *e)
{
    const char *on = json_string_value(json_object_get(rule, "on"));
    bool is_any = strcmp(on, "*") == 0 && e->message;
    return (is_any || strcmp(on, e->on) == 0) &&
           in_range(json_object_get(rule, "connection"), (unsigned)e->connection) &&
           text_fits(json_object_get(rule, "state"), e->state) &&
           in_range(json_object_get(rule, "setups"), (unsigned)e->n_setups) &&
           (!e->message || message_fits(rule, e->message));
}

const json_t *script_find(const json_t *rules, unsigned *n_fits, const struct script_event *e)
{
    const json_t *found = NULL;
    size_t i;
    json_t *rule;
    json_array_foreach(rules, i, rule)
    {
        if (!fits(rule, e))
            continue;
        n_fits[i]++;
        if (!found && in_range(json_object_get(rule, "nth"), n_fits[i]))
            found = rule;
    }
    return found;
}

const char *script_resource(const json_t *uris, struct span uri)
{
    const char *pattern;
    json_t *name;
    json_object_foreach((json_t *)(uintptr_t)uris, pattern, name)
    {
        if (uri_fits(uri, pattern))
            return json_string_value(name);
    }
    return NULL;
}
