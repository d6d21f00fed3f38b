#include "net/url.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct out {
    char *dst;
    size_t cap, n;
};

static void put(struct out *o, const char *p, size_t n)
{
    size_t room = o->cap - 1 - o->n;
    n = MIN(n, room);
    memcpy(o->dst + o->n, p, n);
    o->n += n;
    o->dst[o->n] = 0;
}

/* Length of "password=" and the like at p, 0 = none. */
static size_t secret_name_len(const char *p)
{
    static const char *const names[] = {"password=", "passwd=", "pass=", "pwd=",       "token=",
                                        "secret=",   "auth=",   "key=",  "passphrase="};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t n = strlen(names[i]);
        if (strncasecmp(p, names[i], n) == 0)
            return n;
    }
    return 0;
}

/* Signed addresses, passphrases and keys have too many names to know them all. */
static void put_foreign_path(struct out *o, const struct url *u, const char *p)
{
    size_t n = strcspn(p, "?");
    const char *key = str_starts(u->foreign, "rtmp") ? memrchr(p, '/', n) : NULL;
    bool has_key = key && key + 1 < p + n && memchr(p, '/', (size_t)(key - p)) != NULL;
    put(o, p, has_key ? (size_t)(key + 1 - p) : n);
    if (has_key)
        put(o, "***", 3);
    if (p[n] == '?')
        put(o, "?***", 4);
}

/* Recorders of one family write their login into the path: /user=a&password=b&channel=1.sdp?…, with
 * '_' in place of '&' as well. */
static void put_path(struct out *o, const char *p)
{
    while (*p) {
        size_t n = secret_name_len(p);
        if (n == 0) {
            put(o, p++, 1);
            continue;
        }
        put(o, p, n);
        put(o, "***", 3);
        p += n;
        p += strcspn(p, "&;?/ ");
    }
}

char *url_redact(const char *text, char *dst, size_t cap)
{
    if (cap == 0)
        return dst;
    struct out o = {dst, cap, 0};
    dst[0] = 0;
    struct url u;
    const char *scheme_end = strstr(text, "://");
    const char *rest = scheme_end ? scheme_end + 3 : text;
    if (url_parse_any(text, &u, NULL) == 0) {
        char plain[URL_TEXT_BYTES];
        bool is_fit = url_print(&u, plain, sizeof plain);
        const char *host = is_fit ? strstr(plain, "://") : NULL;
        host = host ? host + 3 : plain;
        put(&o, plain, (size_t)(host - plain));
        if (u.user[0] || u.password[0])
            put(&o, "***@", 4);
        if (u.foreign[0])
            put_foreign_path(&o, &u, host);
        else
            put_path(&o, host);
        return dst;
    }
    /* Unreadable: everything before the last @ could be a secret. */
    put(&o, text, (size_t)(rest - text));
    const char *at = strrchr(rest, '@');
    if (at) {
        put(&o, "***@", 4);
        rest = at + 1;
    }
    put_path(&o, rest);
    return dst;
}
