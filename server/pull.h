/* One stream of one camera at work: pulled, perhaps recorded, perhaps watched for motion.
 *
 * Thread: the server's loop; the recorder is started and stopped on the stream's ingest loop by
 * message. Lifetime: pull_stop asks; when stream, recorders and watch are gone, `gone` fires once
 * and the pull is freed. */
#ifndef SERVER_PULL_H
#define SERVER_PULL_H

#include "analysis/motion_watch.h"
#include "ingest/stream.h"
#include "storage/storage.h"

struct pull;

struct pull_params {
    struct loop *home;
    struct loop *ingest;
    struct resolver *resolver;
    struct tls_client *tls;
    const char *remux_path;      /* during pull_start */
    struct gate *gate;           /* of `ingest` */
    struct allowance *allowance; /* of descriptors, for all */
    struct storage *storage;
    struct worker *motion; /* NULL = never watched */
    const struct stream_config *config;
    bool wants_record, wants_motion;
    /* Something about it changed. Figures alone: is_change false. */
    void (*changed)(void *ctx, struct pull *p, bool is_change);
    void (*motion_event)(void *ctx, enum motion_change change, const struct event *ev);
    void (*gone)(void *ctx);
    void *ctx;
};

struct pull *pull_start(const struct pull_params *params);
void pull_configure(struct pull *p, const struct stream_config *config, bool wants_record,
                    bool wants_motion);
/* Takes the connection of an encoder that pushes this stream. */
void pull_adopt(struct pull *p, struct push_peer *peer);
/* After it only `gone` fires. */
void pull_stop(struct pull *p);

const struct stream_status *pull_status(const struct pull *p);
/* NULL when it is not asked to record. */
const struct recorder_status *pull_recorder(const struct pull *p);
struct hub *pull_hub(const struct pull *p);
/* False when it is not watched for motion. */
bool pull_watch_stats(const struct pull *p, struct motion_watch_stats *out);
void *pull_ctx(const struct pull *p); /* of its params */

#endif
