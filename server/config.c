#include "server/config.h"

#include <errno.h>

#include "base/str.h"
#include "net/url.h"
#include "server/config_file.h"

static int wrong(const char *path, const char *key, const char *value, const char *hint,
                 struct err *err)
{
    return err_text(err, ERR_INVALID, "%s:%u: key \"%s\": \"%s\" is not possible: %s", path,
                    config_file_line(path, key), key, value, hint);
}

struct word {
    const char *text;
    int value;
};

/* Keeps *out when text is NULL. */
static int read_word(const char *path, const char *key, const char *text, const struct word *words,
                     const char *hint, int *out, struct err *err)
{
    if (text == NULL)
        return 0;
    for (; words->text != NULL; words++) {
        if (strcmp(words->text, text) == 0) {
            *out = words->value;
            return 0;
        }
    }
    return wrong(path, key, text, hint, err);
}

static int read_number(const char *path, const char *key, const int32_t *given, int min, int max,
                       int *out, struct err *err)
{
    if (given == NULL)
        return 0;
    if (*given < min || *given > max)
        return err_text(err, ERR_INVALID, "%s:%u: key \"%s\": %d is not between %d and %d", path,
                        config_file_line(path, key), key, (int)*given, min, max);
    *out = *given;
    return 0;
}

static int read_listen(const char *path, const char *key, const char *text, bool may_be_off,
                       struct config_listen *out, struct err *err)
{
    if (text == NULL)
        return 0;
    if (may_be_off && strcmp(text, "off") == 0) {
        out->is_on = false;
        return 0;
    }
    uint16_t port = 0;
    char host[256];
    if (!url_split_host_port(span_of(text), host, sizeof host, &port) || port == 0)
        return wrong(path, key, text, "write HOST:PORT, for example 127.0.0.1:8080", err);
    out->is_on = true;
    str_copy(out->host, sizeof out->host, host);
    out->port = port;
    return 0;
}

static bool parse_bytes(struct span s, int64_t *out)
{
    static const char units[] = "KMGT";
    int shift = 0;
    if (s.n > 1 && (s.p[s.n - 1] == 'B' || s.p[s.n - 1] == 'b'))
        s.n--;
    if (s.n > 1) {
        for (int i = 0; units[i] != '\0'; i++) {
            if (s.p[s.n - 1] == units[i] || s.p[s.n - 1] == (units[i] | 0x20))
                shift = 10 * (i + 1);
        }
    }
    if (shift > 0)
        s.n--;
    uint64_t n;
    if (!span_u64(s, &n) || n > (UINT64_C(1) << 60) >> shift)
        return false;
    *out = (int64_t)(n << shift);
    return true;
}

static int read_reserve(const char *path, const char *text, struct config_volume *v,
                        struct err *err)
{
    v->reserve_percent = 5;
    if (text == NULL)
        return 0;
    struct span s = span_trim(span_of(text));
    if (s.n > 1 && s.p[s.n - 1] == '%') {
        s.n--;
        if (span_double(s, &v->reserve_percent) && v->reserve_percent > 0 &&
            v->reserve_percent < 100)
            return 0;
    } else if (parse_bytes(s, &v->reserve_bytes)) {
        v->reserve_percent = 0;
        return 0;
    }
    return wrong(path, "volumes.reserve", text, "write a percentage (5%) or bytes (10G)", err);
}

/* Below three seconds it could not be kept: a fragment of two is written when it is whole. */
static int read_sync_interval(const char *path, const char *text, int *out, struct err *err)
{
    uint64_t n = 0;
    if (text == NULL)
        return 0;
    struct span s = span_trim(span_of(text));
    if (s.n > 1 && s.p[s.n - 1] == 's')
        s.n--;
    if (!span_u64(s, &n) || n < 3 || n > 60)
        return wrong(path, "sync_interval", text, "write seconds from 3s to 60s", err);
    *out = (int)n;
    return 0;
}

static int read_volumes(const char *path, const struct config_file *f, struct config *c,
                        struct err *err)
{
    if (f->volumes_count == 0) {
        c->volumes = xcalloc(1, sizeof *c->volumes);
        c->n_volumes = 1;
        c->volumes[0] =
            (struct config_volume){.path = xasprintf("%s/rec", c->data_dir), .reserve_percent = 5};
        return 0;
    }
    c->volumes = xcalloc(f->volumes_count, sizeof *c->volumes);
    for (uint32_t i = 0; i < f->volumes_count; i++) {
        struct config_volume *v = &c->volumes[c->n_volumes++];
        v->path = xstrdup(f->volumes[i].path);
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(c->volumes[k].path, v->path) == 0)
                return wrong(path, "volumes.path", v->path, "it is there twice", err);
        }
        int rc = read_reserve(path, f->volumes[i].reserve, v, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Zones without summer time, so that a day is a fixed span and no database is needed. */
static int read_zone(const char *path, const char *text, struct config *c, struct err *err)
{
    static const struct word zones[] = {
        {"Asia/Shanghai", 480},
        {"Asia/Chongqing", 480},
        {"Asia/Urumqi", 360},
        {"Asia/Hong_Kong", 480},
        {"Asia/Macau", 480},
        {"Asia/Taipei", 480},
        {"Asia/Singapore", 480},
        {"Asia/Tokyo", 540},
        {"UTC", 0},
        {NULL, 0},
    };
    static const char hint[] = "write Asia/Shanghai, UTC or an offset such as +08:00";
    if (text == NULL)
        text = "Asia/Shanghai";
    str_copy(c->time_zone, sizeof c->time_zone, text);
    if (text[0] != '+' && text[0] != '-')
        return read_word(path, "time_zone", text, zones, hint, &c->utc_offset_minutes, err);
    struct span rest = span_of(text + 1), hours;
    uint64_t h, m;
    if (strlen(text) != 6 || text[3] != ':' || !span_cut(&rest, ':', &hours) ||
        !span_u64(hours, &h) || !span_u64(rest, &m) || h > 14 || m > 59)
        return wrong(path, "time_zone", text, hint, err);
    c->utc_offset_minutes = (int)(h * 60 + m) * (text[0] == '-' ? -1 : 1);
    return 0;
}

/* Next to the program in a build tree, else where packages put it. */
static char *find_beside(const char *name, const char *installed)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0) {
        exe[n] = '\0';
        char *slash = strrchr(exe, '/');
        if (slash != NULL)
            *slash = '\0';
        char *path = xasprintf("%s/%s", exe, name);
        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return xstrdup(installed);
}

static int read_words(const char *path, const struct config_file *f, struct config *c,
                      struct err *err)
{
    static const struct word policies[] = {{"allowed", POLICY_ALLOWED},
                                           {"purpose", POLICY_PURPOSE},
                                           {"two_person", POLICY_TWO_PERSON},
                                           {"off", POLICY_OFF},
                                           {NULL, 0}};
    static const struct word levels[] = {{"error", LOG_ERROR},
                                         {"warn", LOG_WARN},
                                         {"info", LOG_INFO},
                                         {"debug", LOG_DEBUG},
                                         {NULL, 0}};
    static const struct word formats[] = {{"text", 0}, {"json", 1}, {NULL, 0}};
    static const struct word switches[] = {{"on", 1},  {"off", 0}, {"true", 1}, {"false", 0},
                                           {"yes", 1}, {"no", 0},  {NULL, 0}};
    static const struct word tls[] = {{"off", 0}, {"auto", 1}, {NULL, 0}};
    int policy = POLICY_ALLOWED, level = LOG_INFO, format = 0, motion = 1, with_tls = 0, rc;
    if ((rc = read_word(path, "policy.live", f->policy.live, policies,
                        "allowed, purpose, two_person or off", &policy, err)) < 0 ||
        (rc = read_word(path, "log.level", f->log.level, levels, "error, warn, info or debug",
                        &level, err)) < 0 ||
        (rc = read_word(path, "log.format", f->log.format, formats, "text or json", &format, err)) <
            0 ||
        (rc = read_word(path, "motion", f->motion, switches, "on or off", &motion, err)) < 0 ||
        (rc = read_word(path, "http.tls", f->http.tls, tls, "off, auto or {cert: F, key: F}",
                        &with_tls, err)) < 0)
        return rc;
    c->tls = with_tls ? TLS_AUTO : TLS_OFF;
    if (f->http.tls_files != NULL) {
        c->tls = TLS_FILES;
        c->tls_cert = xstrdup(f->http.tls_files->cert);
        c->tls_key = xstrdup(f->http.tls_files->key);
    }
    if (policy == POLICY_PURPOSE || policy == POLICY_TWO_PERSON)
        return err_text(err, ERR_UNSUPPORTED,
                        "%s:%u: key \"policy.live\": only allowed and off are in this version",
                        path, config_file_line(path, "policy.live"));
    c->policy = (enum config_policy)policy;
    c->log_level = (enum log_level)level;
    c->is_log_json = format == 1;
    c->is_motion_on = motion == 1;
    return 0;
}

/* What is as old as it may become is deleted, not thinned. */
static int read_thin(const char *path, const struct file_thin *f, struct config *c, struct err *err)
{
    static const struct word keeps[] = {
        {"keyframes", THIN_KEYFRAMES}, {"motion", THIN_MOTION}, {NULL, 0}};
    int keep = THIN_KEYFRAMES;
    if (f == NULL)
        return 0;
    int rc = read_number(path, "retention.thin.after_days", &f->after_days, 1, 3650,
                         &c->thin_after_days, err);
    if (rc == 0)
        rc = read_word(path, "retention.thin.keep", f->keep, keeps, "keyframes or motion", &keep,
                       err);
    c->thin_keep = (enum thin_keep)keep;
    return rc;
}

static int fill(const char *path, const struct config_file *f, struct config *c, struct err *err)
{
    int rc;
    c->data_dir = xstrdup(f->data_dir ? f->data_dir : "/var/lib/rookery");
    c->http = (struct config_listen){.is_on = true, .host = "127.0.0.1", .port = 8080};
    c->rtsp = (struct config_listen){.is_on = true, .host = "127.0.0.1", .port = 8554};
    c->webrtc = (struct config_listen){.is_on = true, .host = "127.0.0.1", .port = 8555};
    c->retention_days = 90;
    c->segment_s = 600;
    c->sync_interval_s = 5;
    if ((rc = read_volumes(path, f, c, err)) < 0 ||
        (rc = read_listen(path, "http.listen", f->http.listen, false, &c->http, err)) < 0 ||
        (rc = read_listen(path, "rtsp.listen", f->rtsp.listen, true, &c->rtsp, err)) < 0 ||
        (rc = read_listen(path, "webrtc.listen", f->webrtc.listen, true, &c->webrtc, err)) < 0 ||
        (rc = read_number(path, "loops", f->loops, 0, 256, &c->n_loops, err)) < 0 ||
        (rc = read_number(path, "retention.days", f->retention.days, 1, 3650, &c->retention_days,
                          err)) < 0 ||
        (rc = read_thin(path, f->retention.thin, c, err)) < 0 ||
        (rc = read_number(path, "segment", f->segment, 5, 3600, &c->segment_s, err)) < 0 ||
        (rc = read_sync_interval(path, f->sync_interval, &c->sync_interval_s, err)) < 0 ||
        (rc = read_zone(path, f->time_zone, c, err)) < 0 || (rc = read_words(path, f, c, err)) < 0)
        return rc;
    c->web_dir = f->web_dir ? xstrdup(f->web_dir) : find_beside("web", "/usr/share/rookery/web");
    c->worker = f->worker ? xstrdup(f->worker)
                          : find_beside("rookery-worker", "/usr/libexec/rookery/rookery-worker");
    c->remux = f->remux ? xstrdup(f->remux)
                        : find_beside("rookery-remux", "/usr/libexec/rookery/rookery-remux");
    return 0;
}

int config_load(const char *path, struct config **out, struct err *err)
{
    struct config_file *f = NULL;
    struct config *c = xcalloc(1, sizeof *c);
    refcount_init(&c->refs);
    int rc = 0;
    if (path != NULL)
        rc = config_file_read(path, &f, err);
    else
        f = xcalloc(1, sizeof *f);
    if (rc == 0)
        rc = fill(path ? path : "defaults", f, c, err);
    config_file_free(&f);
    if (rc < 0) {
        config_unref(&c);
        return rc;
    }
    *out = c;
    return 0;
}

void config_unref(struct config **config)
{
    struct config *c = *config;
    *config = NULL;
    if (c == NULL || !refcount_dec(&c->refs))
        return;
    for (size_t i = 0; i < c->n_volumes; i++)
        free(c->volumes[i].path);
    free(c->volumes);
    free(c->data_dir);
    free(c->web_dir);
    free(c->worker);
    free(c->remux);
    free(c->tls_cert);
    free(c->tls_key);
    free(c);
}

struct config *config_with(const struct config *old, const struct config *now)
{
    struct config *c = xmalloc(sizeof *c);
    *c = *old;
    refcount_init(&c->refs);
    c->data_dir = xstrdup(old->data_dir);
    c->web_dir = xstrdup(old->web_dir);
    c->worker = xstrdup(old->worker);
    c->remux = xstrdup(old->remux);
    c->tls_cert = old->tls_cert ? xstrdup(old->tls_cert) : NULL;
    c->tls_key = old->tls_key ? xstrdup(old->tls_key) : NULL;
    c->volumes = xcalloc(old->n_volumes, sizeof *c->volumes);
    for (size_t i = 0; i < old->n_volumes; i++) {
        c->volumes[i] = old->volumes[i];
        c->volumes[i].path = xstrdup(old->volumes[i].path);
    }
    c->log_level = now->log_level;
    c->policy = now->policy;
    return c;
}

static bool same_listen(const struct config_listen *a, const struct config_listen *b)
{
    return a->is_on == b->is_on && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool same_text(const char *a, const char *b)
{
    return (a == NULL && b == NULL) || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_volumes(const struct config *a, const struct config *b)
{
    if (a->n_volumes != b->n_volumes)
        return false;
    for (size_t i = 0; i < a->n_volumes; i++) {
        const struct config_volume *x = &a->volumes[i], *y = &b->volumes[i];
        if (strcmp(x->path, y->path) != 0 || x->reserve_bytes != y->reserve_bytes ||
            x->reserve_percent != y->reserve_percent)
            return false;
    }
    return true;
}

const char *config_needs_restart(const struct config *old, const struct config *now)
{
    if (strcmp(old->data_dir, now->data_dir) != 0)
        return "data_dir";
    if (!same_volumes(old, now))
        return "volumes";
    if (!same_listen(&old->http, &now->http))
        return "http.listen";
    if (old->tls != now->tls || !same_text(old->tls_cert, now->tls_cert) ||
        !same_text(old->tls_key, now->tls_key))
        return "http.tls";
    if (!same_listen(&old->rtsp, &now->rtsp))
        return "rtsp.listen";
    if (!same_listen(&old->webrtc, &now->webrtc))
        return "webrtc.listen";
    if (old->n_loops != now->n_loops)
        return "loops";
    if (old->is_log_json != now->is_log_json)
        return "log.format";
    if (old->is_motion_on != now->is_motion_on)
        return "motion";
    if (old->utc_offset_minutes != now->utc_offset_minutes)
        return "time_zone";
    if (strcmp(old->web_dir, now->web_dir) != 0)
        return "web_dir";
    if (strcmp(old->worker, now->worker) != 0)
        return "worker";
    if (strcmp(old->remux, now->remux) != 0)
        return "remux";
    if (old->segment_s != now->segment_s)
        return "segment";
    if (old->sync_interval_s != now->sync_interval_s)
        return "sync_interval";
    if (old->retention_days != now->retention_days)
        return "retention.days";
    if (old->thin_after_days != now->thin_after_days || old->thin_keep != now->thin_keep)
        return "retention.thin";
    return NULL;
}
