#include "delivery/wall_message.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/str.h"

static const struct {
    const char *name;
    bool has_tile, has_gen;
} types[] = {
    [WALL_SUBSCRIBE] = {"subscribe", true, true},
    [WALL_SEEK] = {"seek", true, true},
    [WALL_SPEED] = {"speed", true, false},
    [WALL_STEP] = {"step", true, false},
    [WALL_UNSUBSCRIBE] = {"unsubscribe", true, false},
    [WALL_LAYOUT] = {"layout", false, false},
    [WALL_PING] = {"ping", false, false},
};

static int bad(struct err *err, const char *what)
{
    return err_text(err, ERR_PARSE, "%s", what);
}

static bool read_uint(const json_t *v, json_int_t max, json_int_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
        return false;
    *out = json_integer_value(v);
    return true;
}

/* *out keeps its value when the member is missing or null. */
static bool read_bool(const json_t *o, const char *name, bool *out, bool *out_has)
{
    const json_t *v = json_object_get(o, name);
    *out_has = v && !json_is_null(v);
    if (!*out_has)
        return true;
    *out = json_is_true(v);
    return json_is_boolean(v);
}

static bool read_speed(const json_t *o, struct wall_command *out)
{
    static const double allowed[] = {0.5, 1, 2, 4, 8, 16};
    const json_t *v = json_object_get(o, "speed");
    if (!v || json_is_null(v))
        return true;
    out->has_speed = true;
    out->speed = json_number_value(v);
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        if (json_is_number(v) && out->speed == allowed[i])
            return true;
    return false;
}

static int read_at(const json_t *o, struct wall_command *out, struct err *err)
{
    const json_t *v = json_object_get(o, "at");
    out->is_live = !v || json_is_null(v);
    if (out->is_live && out->type == WALL_SUBSCRIBE)
        return 0;
    const char *s = json_string_value(v);
    if (s && !strcmp(s, "live")) {
        out->is_live = true;
        return 0;
    }
    if (!s || rfc3339_parse(s, &out->at_us) < 0)
        return bad(err, "at is neither a time (RFC 3339) nor \"live\"");
    return 0;
}

static int read_pick(const json_t *o, struct wall_command *out, struct err *err)
{
    static const char *const names[] = {[READER_AT] = "at",
                                        [READER_BEFORE] = "before",
                                        [READER_KEY_BEFORE] = "key_before",
                                        [READER_KEY_AFTER] = "key_after"};
    const json_t *v = json_object_get(o, "pick");
    if (!v || json_is_null(v))
        return 0;
    for (size_t i = 0; json_is_string(v) && i < ARRAY_LEN(names); i++) {
        out->pick = (enum reader_pick)i;
        if (!strcmp(json_string_value(v), names[i]))
            return 0;
    }
    return bad(err, "pick is one of at, before, key_before, key_after");
}

static int read_playing(const json_t *o, struct wall_command *out, struct err *err)
{
    if (!read_speed(o, out))
        return bad(err, "speed is one of 0.5, 1, 2, 4, 8, 16");
    if (!read_bool(o, "paused", &out->is_paused, &out->has_paused))
        return bad(err, "paused is true or false");
    return 0;
}

static int read_subscribe(const json_t *o, struct wall_command *out, struct err *err)
{
    const char *camera = json_string_value(json_object_get(o, "camera"));
    if (!camera || !str_is_id(camera))
        return bad(err, "camera is not an id");
    str_copy(out->camera, sizeof out->camera, camera);

    const json_t *stream = json_object_get(o, "stream");
    const char *name = stream ? json_string_value(stream) : "auto";
    if (!name ||
        (strcmp(name, "auto") != 0 && strcmp(name, "main") != 0 && strcmp(name, "sub") != 0))
        return bad(err, "stream is main, sub or auto");
    str_copy(out->stream, sizeof out->stream, name);

    bool has;
    if (!read_bool(o, "audio", &out->wants_audio, &has))
        return bad(err, "audio is true or false");
    int rc = read_at(o, out, err);
    return rc < 0 ? rc : read_playing(o, out, err);
}

static int read_layout(const json_t *o, struct wall_command *out, struct err *err)
{
    const json_t *visible = json_object_get(o, "visible");
    if (!json_is_array(visible) || json_array_size(visible) > WALL_MAX_TILES)
        return bad(err, "visible is a list of at most 100 tiles");
    for (size_t i = 0; i < json_array_size(visible); i++) {
        json_int_t tile;
        if (!read_uint(json_array_get(visible, i), UINT16_MAX, &tile))
            return bad(err, "visible holds something that is no tile");
        out->visible[out->n_visible++] = (uint16_t)tile;
    }
    return 0;
}

static int read_members(const json_t *o, struct wall_command *out, struct err *err)
{
    const json_t *t;
    int rc;
    switch (out->type) {
    case WALL_SUBSCRIBE:
        return read_subscribe(o, out, err);
    case WALL_SEEK:
        rc = read_at(o, out, err);
        return rc < 0 ? rc : read_pick(o, out, err);
    case WALL_SPEED:
        return read_playing(o, out, err);
    case WALL_LAYOUT:
        return read_layout(o, out, err);
    case WALL_PING:
        t = json_object_get(o, "t");
        out->t = json_number_value(t);
        return t && !json_is_number(t) ? bad(err, "t is a number") : 0;
    case WALL_STEP:
    case WALL_UNSUBSCRIBE:
        return 0;
    }
    return ERR_PARSE;
}

static int read_object(const json_t *o, struct wall_command *out, bool *out_has_tile,
                       struct err *err)
{
    json_int_t tile = 0, gen = 0;
    *out_has_tile = read_uint(json_object_get(o, "tile"), UINT16_MAX, &tile);
    bool has_gen = read_uint(json_object_get(o, "gen"), UINT32_MAX, &gen);
    out->tile = (uint16_t)tile;
    out->gen = (uint32_t)gen;

    const char *type = json_string_value(json_object_get(o, "type"));
    size_t i = 0;
    while (type && i < ARRAY_LEN(types) && strcmp(type, types[i].name) != 0)
        i++;
    if (!type || i == ARRAY_LEN(types))
        return bad(err, "unknown type of message");
    out->type = (enum wall_type)i;
    if (types[i].has_tile && !*out_has_tile)
        return bad(err, "tile is a number from 0 to 65535");
    if (types[i].has_gen && !has_gen)
        return bad(err, "gen is a number from 0 to 4294967295");
    return read_members(o, out, err);
}

int wall_command_parse(const char *text, size_t n, struct wall_command *out, bool *out_has_tile,
                       struct err *err)
{
    *out = (struct wall_command){.speed = 1};
    *out_has_tile = false;
    json_error_t why;
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(o)) {
        json_decref(o);
        return bad(err, "the message is no JSON object");
    }
    int rc = read_object(o, out, out_has_tile, err);
    json_decref(o);
    return rc;
}

/* --- writing --- */

static int append(const char *p, size_t n, void *ctx)
{
    buf_append(ctx, p, n);
    return 0;
}

/* Takes the reference. NULL happens only without memory or with text that is no UTF-8. */
static void put(struct buf *out, json_t *o)
{
    if (!o || json_dump_callback(o, append, out, JSON_COMPACT) < 0)
        out->is_failed = true;
    json_decref(o);
}

/* Text from outside may be cut inside a character. */
static json_t *text_of(const char *s)
{
    size_t n = strlen(s);
    for (size_t cut = 0; cut < 4 && n >= cut; cut++)
        if (str_is_utf8(s, n - cut))
            return json_stringn(s, n - cut);
    return json_string("");
}

static json_t *time_of(int64_t wall_us)
{
    char text[CLOCK_RFC3339_BYTES];
    return json_string(rfc3339_print(wall_us, text));
}

static json_t *object_of(const char *type, const struct wall_subject *s)
{
    if (!s)
        return json_pack("{s:s}", "type", type);
    return json_pack("{s:s, s:i, s:I}", "type", type, "tile", (int)s->tile, "gen",
                     (json_int_t)s->gen);
}

static json_t *number_of(double t)
{
    bool is_whole = t > -9e15 && t < 9e15 && t == (double)(json_int_t)t;
    return is_whole ? json_integer((json_int_t)t) : json_real(t);
}

void wall_print_hello(struct buf *out, int64_t now_us)
{
    put(out, json_pack("{s:s, s:s, s:o, s:i}", "type", "hello", "protocol", WALL_SUBPROTOCOL,
                       "server_time", time_of(now_us), "max_tiles", WALL_MAX_TILES));
}

void wall_print_pong(struct buf *out, double t)
{
    put(out, json_pack("{s:s, s:o}", "type", "pong", "t", number_of(t)));
}

void wall_print_subscribed(struct buf *out, struct wall_subject s, const char *camera,
                           const char *stream, bool is_live)
{
    json_t *o = object_of("subscribed", &s);
    json_object_set_new(o, "camera", text_of(camera));
    json_object_set_new(o, "stream", text_of(stream));
    json_object_set_new(o, "mode", json_string(is_live ? "live" : "recorded"));
    put(out, o);
}

void wall_print_format(struct buf *out, struct wall_subject s, const struct format *video,
                       const struct format *audio)
{
    json_t *o = object_of("format", &s);
    json_object_set_new(o, "codec", json_string(codec_name(video->codec)));
    json_object_set_new(o, "codec_string", text_of(video->codec_string));
    json_object_set_new(o, "width", json_integer(video->width));
    json_object_set_new(o, "height", json_integer(video->height));
    json_object_set_new(o, "audio", audio ? text_of(audio->codec_string) : json_null());
    put(out, o);
}

void wall_print_state(struct buf *out, struct wall_subject s, const struct wall_state *state)
{
    json_t *o = object_of("state", &s);
    json_object_set_new(o, "advancing", json_boolean(state->is_advancing));
    json_object_set_new(o, "cause", text_of(state->cause));
    json_object_set_new(o, "detail", text_of(state->detail));
    json_object_set_new(o, "retry_s",
                        state->retry_s >= 0 ? number_of(state->retry_s) : json_null());
    put(out, o);
}

void wall_print_gap(struct buf *out, struct wall_subject s, int64_t from_us, int64_t to_us,
                    const char *cause)
{
    json_t *o = object_of("gap", &s);
    json_object_set_new(o, "from", time_of(from_us));
    json_object_set_new(o, "to", time_of(to_us));
    json_object_set_new(o, "cause", text_of(cause));
    put(out, o);
}

void wall_print_picked(struct buf *out, struct wall_subject s, int64_t at_us)
{
    json_t *o = object_of("picked", &s);
    json_object_set_new(o, "at", time_of(at_us));
    put(out, o);
}

void wall_print_end(struct buf *out, struct wall_subject s, int64_t at_us)
{
    json_t *o = object_of("end", &s);
    json_object_set_new(o, "at", time_of(at_us));
    put(out, o);
}

void wall_print_dropped(struct buf *out, struct wall_subject s, uint64_t n_packets)
{
    json_t *o = object_of("dropped", &s);
    json_object_set_new(o, "packets", json_integer((json_int_t)n_packets));
    put(out, o);
}

void wall_print_error(struct buf *out, const struct wall_subject *s, const char *code,
                      const char *detail)
{
    json_t *o = object_of("error", s);
    json_object_set_new(o, "code", json_string(code));
    json_object_set_new(o, "detail", text_of(detail));
    put(out, o);
}

static void set_be(uint8_t *p, uint64_t v, int n_bytes)
{
    for (int i = n_bytes - 1; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}

void wall_print_header(uint8_t dst[WALL_HEADER_BYTES], struct wall_subject s,
                       const struct fragment *f, unsigned flags, uint32_t duration)
{
    dst[0] = f->pkt ? WALL_KIND_MEDIA : WALL_KIND_INIT;
    dst[1] = (uint8_t)flags;
    set_be(dst + 2, s.tile, 2);
    set_be(dst + 4, s.gen, 4);
    set_be(dst + 8, (uint64_t)f->wall_us, 8);
    set_be(dst + 16, (uint64_t)f->pts, 8);
    set_be(dst + 24, f->pkt ? f->head_size : 0, 4);
    set_be(dst + 28, duration, 4);
}
