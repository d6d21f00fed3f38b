/* Pictures as JPEG: the newest, or a recorded one. Decoding happens in the worker process, except
 * of pictures that are JPEG images already.
 *
 * A live picture comes through a viewer of the stream that takes one key frame: the kept one at
 * once, or the first of a stream that is pulled on demand. */
#include <string.h>

#include "base/str.h"
#include "media/reader.h"
#include "media/relay.h"
#include "server/routes.h"
#include "server/wall_host.h"

#define FIRST_KEY_MS 8000
#define FAR_AWAY_US                                                                                \
    (60 * US_PER_S) /* a recorded key frame older than this is not "at" the time                   \
                     */
#define SMALL_WIDTH_PX 720

struct snapshot {
    struct api_call *call;
    int64_t at_us; /* 0 = now */
    int width;
    char stream[8];
    struct source *source;
    struct relay *relay;
    struct timer deadline;
    struct packet *key; /* owned reference */
    struct err err;
    struct buf jpeg;
};

static void answer(struct snapshot *s)
{
    struct api_call *call = s->call;
    char at[CLOCK_RFC3339_BYTES];
    call->err = s->err;
    if (s->err.code == 0 && s->key != NULL) {
        call->content_type = "image/jpeg";
        call->text = s->jpeg;
        api_header(call, "Rookery-Time", "%s", rfc3339_print(s->key->wall_us, at));
    } else {
        buf_fini(&s->jpeg);
    }
    packet_unref(&s->key);
    free(s);
    api_finish(call);
}

static void decoded(void *ctx, const uint8_t *jpeg, size_t n, const struct err *err)
{
    struct snapshot *s = ctx;
    if (err != NULL)
        err_say(&s->err, err->code == ERR_PARSE ? ERR_BUSY : err->code, "no_picture_decoded",
                "the picture cannot be decoded now: %s", err->msg);
    else
        buf_append(&s->jpeg, jpeg, n);
    answer(s);
}

/* A JPEG image that is not wanted smaller is the answer as it is. */
static bool is_answer(const struct snapshot *s)
{
    const struct format *f = s->key->format;
    return f != NULL && f->codec == CODEC_JPEG && (s->width == 0 || s->width >= f->width);
}

static void decode(struct snapshot *s)
{
    if (is_answer(s)) {
        decoded(s, s->key->data, s->key->size, NULL);
        return;
    }
    int rc = worker_picture(s->call->server->picture_worker, s->key, s->width, decoded, s);
    if (rc < 0) {
        err_say(&s->err, ERR_BUSY, "pictures_busy",
                "too many pictures are asked for: try again in a moment");
        answer(s);
    }
}

/* --- now --- */

static void end_relay(struct snapshot *s)
{
    timer_disarm(&s->deadline);
    if (s->relay != NULL) {
        struct relay *relay = s->relay;
        s->relay = NULL;
        relay_stop(relay);
    }
}

static void key_came(void *ctx, struct packet *pkt)
{
    struct snapshot *s = ctx;
    if (s->key != NULL || !pkt->is_video || !pkt->is_key)
        return;
    s->key = packet_ref(pkt);
    end_relay(s);
}

static void relay_ended(void *ctx)
{
    struct snapshot *s = ctx;
    timer_disarm(&s->deadline);
    if (s->key != NULL) {
        decode(s);
        return;
    }
    struct camera_state st;
    if (!fleet_stream_state(s->call->server->fleet, s->call->id, s->stream, &st) ||
        st.detail[0] == '\0')
        str_copy(st.detail, sizeof st.detail, "the camera sent no key frame in time");
    err_say(&s->err, ERR_BUSY, "no_picture", "there is no picture now: %s", st.detail);
    answer(s);
}

static void too_late(void *ctx)
{
    end_relay(ctx);
}

static void start_live(struct snapshot *s, struct hub *hub)
{
    struct loop *loop = s->call->server->loop;
    timer_init(&s->deadline, loop, too_late, s);
    timer_arm_ms(&s->deadline, FIRST_KEY_MS);
    s->relay = relay_start(&(struct relay_params){.hub = hub,
                                                  .far = loop,
                                                  .keys_only = true,
                                                  .is_viewer = true,
                                                  .push = key_came,
                                                  .gone = relay_ended,
                                                  .ctx = s});
}

/* --- a time --- */

static int read_key_of(struct snapshot *s, const char *stream)
{
    struct reader *r = reader_create(
        &(struct reader_params){.source = s->source, .camera_id = s->call->id, .stream = stream});
    int rc = reader_seek(r, s->at_us + 1, READER_KEY_BEFORE, &s->err);
    bool is_far = rc == READER_FOUND && s->at_us - reader_position(r)->wall_us > FAR_AWAY_US;
    if (rc == READER_FOUND && !is_far)
        rc = reader_picture(r, &s->key, &s->err);
    else if (rc >= 0)
        rc = err_say(&s->err, ERR_NOT_FOUND, "nothing_recorded",
                     "nothing was recorded at this time");
    reader_destroy(&r);
    return rc;
}

static void read_key(void *ctx) /* reading pool */
{
    struct snapshot *s = ctx;
    bool is_any = api_query(s->call, "stream") == NULL;
    int rc = read_key_of(s, is_any ? "main" : s->stream);
    if (rc == ERR_NOT_FOUND && is_any)
        rc = read_key_of(s, "sub");
    if (rc >= 0)
        err_clear(&s->err);
    else if (s->err.code == 0)
        err_set(&s->err, rc, "read the recording");
}

static void key_read(void *ctx)
{
    struct snapshot *s = ctx;
    if (s->key != NULL)
        decode(s);
    else
        answer(s);
}

/* --- both --- */

static int read_query(struct snapshot *s, struct err *err)
{
    int64_t width = 0;
    const char *stream = api_query_stream(s->call, err);
    if (stream == NULL)
        return ERR_INVALID;
    int rc = api_query_time(s->call, "at", false, &s->at_us, err);
    if (rc == 0)
        rc = api_query_int(s->call, "width", 16, 3840, &width, err);
    s->width = (int)width;
    bool is_small = width > 0 && width <= SMALL_WIDTH_PX && s->at_us == 0 &&
                    api_query(s->call, "stream") == NULL;
    str_copy(s->stream, sizeof s->stream, is_small ? "auto" : stream);
    return rc;
}

void snapshot_get(struct api_call *call)
{
    struct server *server = call->server;
    struct snapshot *s = xcalloc(1, sizeof *s);
    struct wall_grant grant = {0};
    struct err err;
    err_clear(&err);
    s->call = call;
    buf_init(&s->jpeg, 16u << 20);
    int rc = read_query(s, &err);
    if (rc == 0) {
        rc = wall_host_grant(server, &call->user, call->id, s->stream,
                             s->at_us ? WALL_PLAYBACK : WALL_LIVE, &grant);
        if (rc < 0) {
            err = grant.why;
            err.code = rc == ERR_UNSUPPORTED ? ERR_NOT_FOUND : rc;
        }
    }
    if (rc == 0 && s->at_us == 0 && grant.hub == NULL)
        rc = err_say(&err, ERR_BUSY, "no_picture", "there is no picture now: %s",
                     grant.state.detail);
    if (rc < 0) {
        free(s);
        api_fail(call, &err);
        return;
    }
    str_copy(s->stream, sizeof s->stream, grant.stream);
    if (s->at_us == 0) {
        start_live(s, grant.hub);
        hub_unref(&grant.hub);
        return;
    }
    s->source = grant.source;
    if (!pool_submit(server->reading_pool, read_key, server->loop, key_read, s)) {
        err_say(&s->err, ERR_BUSY, "busy", "the server is busy: try again in a moment");
        answer(s);
    }
}
