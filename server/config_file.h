/* The configuration as it stands in the file: strings not yet looked at, NULL = not given.
 * Thread: plain values; shared by config.c and config_file.c only. */
#ifndef SERVER_CONFIG_FILE_H
#define SERVER_CONFIG_FILE_H

#include <stdint.h>

#include "base/err.h"

struct file_volume {
    char *path;
    char *reserve;
};

struct file_tls {
    char *cert;
    char *key;
};

struct file_thin {
    int32_t after_days;
    char *keep; /* keyframes, motion */
};

struct file_listen {
    char *listen;
};

struct config_file {
    char *data_dir;
    struct file_volume *volumes;
    uint32_t volumes_count;
    struct {
        char *listen;
        char *tls;                  /* off, auto */
        struct file_tls *tls_files; /* or this */
    } http;
    struct file_listen rtsp, webrtc;
    int32_t *loops;
    struct {
        int32_t *days;
        struct file_thin *thin;
    } retention;
    struct {
        char *live;
    } policy;
    struct {
        char *level;
        char *format;
    } log;
    char *motion;
    char *time_zone;
    char *web_dir;
    char *worker;
    char *remux;
    int32_t *segment;
    char *sync_interval;
};

/* An unknown key, a wrong type or broken YAML is ERR_INVALID with line and key. An empty file gives
 * an empty struct. */
int config_file_read(const char *path, struct config_file **out, struct err *err);

/* The 1-based line on which the last part of "section.key" stands; 1 when it cannot be told.
 * Blocks. */
unsigned config_file_line(const char *path, const char *key);

void config_file_free(struct config_file **f);

#endif
