/* The configuration file: read once, checked, then immutable.
 * Thread: unref and reading from any thread. Lifetime: refcounted; a reload makes a new one.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/storage.h"

#define CONFIG_DEFAULT_PATH "/etc/rookery/rookery.yaml"

enum config_tls { TLS_OFF, TLS_AUTO, TLS_FILES };
enum config_policy { POLICY_ALLOWED, POLICY_PURPOSE, POLICY_TWO_PERSON, POLICY_OFF };

struct config_volume {
    char *path;
    int64_t reserve_bytes;
    double reserve_percent; /* used when not 0 */
};

struct config_listen {
    bool is_on;
    char host[256];
    uint16_t port;
};

struct config {
    struct refcount refs;
    char *data_dir;
    struct config_volume *volumes; /* at least one */
    size_t n_volumes;
    struct config_listen http, rtsp, webrtc;
    enum config_tls tls;      /* of http */
    char *tls_cert, *tls_key; /* TLS_FILES only */
    int n_loops;              /* 0 = one per core */
    int retention_days;
    int thin_after_days; /* 0 = never */
    enum thin_keep thin_keep;
    enum config_policy policy;
    enum log_level log_level;
    bool is_log_json;
    bool is_motion_on;
    char time_zone[64];
    int utc_offset_minutes; /* of the district; it has no summer time */
    char *web_dir;          /* the built web app; may not exist */
    char *worker;           /* the analysis worker program */
    char *remux;            /* the program that reads what is not RTSP */
    int segment_s;
    int sync_interval_s; /* what was received longer ago survives a power cut */
};

/* NULL path = defaults only. The message names file, line and key. */
int config_load(const char *path, struct config **out, struct err *err);

void config_unref(struct config **c);

/* `old` with those settings of `now` that take effect while running: log.level and policy.live. */
struct config *config_with(const struct config *old, const struct config *now);

/* The first setting that differs and only takes effect at a restart; NULL = none. */
const char *config_needs_restart(const struct config *old, const struct config *now);

#endif
