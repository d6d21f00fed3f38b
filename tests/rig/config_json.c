#include <jansson.h>
#include <string.h>

#include "base/str.h"
#include "config.h"
#include "mutate.h"
#include "script.h"

static int text(const json_t *o, const char *key, char *dst, struct err *err)
{
    const json_t *v = json_object_get(o, key);
    if (!v)
        return 0;
    if (!json_is_string(v) || !str_copy(dst, CONFIG_TEXT_BYTES, json_string_value(v)))
        return err_text(err, ERR_INVALID, "%s must be a text of less than %d bytes", key,
                        CONFIG_TEXT_BYTES);
    return 0;
}

static int number(const json_t *o, const char *key, double min, double max, double *dst,
                  struct err *err)
{
    const json_t *v = json_object_get(o, key);
    if (!v)
        return 0;
    if (!json_is_number(v) || json_number_value(v) < min || json_number_value(v) > max)
        return err_text(err, ERR_INVALID, "%s must be a number from %g to %g", key, min, max);
    *dst = json_number_value(v);
    return 0;
}

static int port(const json_t *o, const char *key, uint16_t *dst, struct err *err)
{
    double v = *dst;
    int rc = number(o, key, 0, 65535, &v, err);
    *dst = (uint16_t)v;
    return rc;
}

static int known_keys(json_t *o, const char *const *known, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(o, key, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return err_text(err, ERR_INVALID, "unknown key %s", key);
    }
    return 0;
}

static int read_size(const json_t *o, struct picture_source *s, struct err *err)
{
    const json_t *v = json_object_get(o, "size");
    if (!v)
        return 0;
    int used = 0;
    const char *size = json_is_string(v) ? json_string_value(v) : "";
    if (sscanf(size, "%4dx%4d%n", &s->width, &s->height, &used) != 2 || size[used] ||
        s->width < 64 || s->height < 64 || s->width % 2 || s->height % 2)
        return err_text(err, ERR_INVALID, "size must be like 960x540, both even");
    return 0;
}

static int read_source(const json_t *o, struct picture_source *s, struct err *err)
{
    static const char *const keys[] = {"file", "scene", "live",    "codec",  "size",     "fps",
                                       "gop",  "seed",  "bitrate", "slices", "b_frames", NULL};
    if (json_is_false(o) || json_is_null(o)) {
        s->is_on = false;
        return 0;
    }
    if (!json_is_object(o))
        return err_text(err, ERR_INVALID, "must be an object, or false");
    s->is_on = true;
    char file[CONFIG_TEXT_BYTES] = "";
    char scene[CONFIG_TEXT_BYTES] = "";
    char codec[CONFIG_TEXT_BYTES] = "";
    double fps = s->fps_milli / 1000.0;
    double gop = s->gop;
    double seed = s->seed;
    double bitrate = (double)s->bitrate_bps;
    double slices = s->slices;
    double b_frames = s->b_frames;
    int rc = known_keys((json_t *)(uintptr_t)o, keys, err);
    if (rc < 0 || (rc = text(o, "file", file, err)) < 0 ||
        (rc = text(o, "scene", scene, err)) < 0 || (rc = text(o, "codec", codec, err)) < 0 ||
        (rc = number(o, "fps", 1, 60, &fps, err)) < 0 ||
        (rc = number(o, "gop", 1, 1000, &gop, err)) < 0 ||
        (rc = number(o, "seed", 0, 1e6, &seed, err)) < 0 ||
        (rc = number(o, "bitrate", 10000, 2e7, &bitrate, err)) < 0 ||
        (rc = number(o, "slices", 1, 16, &slices, err)) < 0 ||
        (rc = number(o, "b_frames", 0, 3, &b_frames, err)) < 0 || (rc = read_size(o, s, err)) < 0)
        return rc;
    s->fps_milli = (int)(fps * 1000);
    s->gop = (int)gop;
    s->seed = (unsigned)seed;
    s->bitrate_bps = (int64_t)bitrate;
    s->slices = (int)slices;
    s->b_frames = (int)b_frames;
    s->file = file[0] ? xstrdup(file) : NULL;
    if (scene[0] && !scene_of(scene, &s->scene))
        return err_text(err, ERR_INVALID, "there is no scene %s", scene);
    if (codec[0] && !config_codec(codec, &s->codec))
        return err_text(err, ERR_INVALID, "codec must be h264, h265 or mjpeg");
    const json_t *live = json_object_get(o, "live");
    s->is_live = live ? json_is_true(live) : true;
    return 0;
}

static int read_auth(const json_t *o, struct camera_config *c, struct err *err)
{
    static const struct {
        const char *name;
        enum auth_scheme scheme;
    } kinds[] = {{"none", AUTH_NONE},
                 {"basic", AUTH_BASIC},
                 {"digest", AUTH_MD5},
                 {"digest-sess", AUTH_MD5_SESS},
                 {"digest-sha256", AUTH_SHA256},
                 {"digest-sha256-sess", AUTH_SHA256_SESS},
                 {"digest-sha512-256", AUTH_SHA512_256}};
    str_copy(c->realm, sizeof c->realm, "Rookery camera");
    c->has_qop = json_is_true(json_object_get(o, "qop"));
    char kind[CONFIG_TEXT_BYTES] = "none";
    int rc = text(o, "auth", kind, err);
    if (rc < 0 || (rc = text(o, "username", c->user, err)) < 0 ||
        (rc = text(o, "password", c->password, err)) < 0 ||
        (rc = text(o, "realm", c->realm, err)) < 0)
        return rc;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, kind) == 0) {
            c->auth = kinds[i].scheme;
            return 0;
        }
    }
    return err_text(err, ERR_INVALID, "there is no auth called %s", kind);
}

static int read_sound(const json_t *o, struct camera_config *c, struct err *err)
{
    static const struct {
        const char *name;
        enum sound sound;
    } sounds[] = {{"none", SOUND_NONE}, {"aac", SOUND_AAC}, {"pcma", SOUND_PCMA},
                  {"l16", SOUND_L16},   {"pcm", SOUND_PCM}, {"file", SOUND_FILE}};
    char name[CONFIG_TEXT_BYTES] = "none";
    int rc = text(o, "audio", name, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < ARRAY_LEN(sounds); i++) {
        if (strcmp(sounds[i].name, name) == 0) {
            c->sound = sounds[i].sound;
            return 0;
        }
    }
    return err_text(err, ERR_INVALID, "audio must be none, aac, pcma, l16, pcm or file");
}

static int read_fail(json_t *o, struct camera_config *c, struct err *err)
{
    static const char *const keys[] = {"mode", "every_s", "for_s", "drop", NULL};
    json_t *v = json_object_get(o, "fail");
    if (!v)
        return 0;
    char mode[CONFIG_TEXT_BYTES] = "none";
    int rc;
    if ((rc = known_keys(v, keys, err)) < 0 || (rc = text(v, "mode", mode, err)) < 0 ||
        (rc = number(v, "every_s", 1, 86400, &c->fail_every_s, err)) < 0 ||
        (rc = number(v, "for_s", 0, 86400, &c->fail_for_s, err)) < 0 ||
        (rc = number(v, "drop", 0, 1, &c->drop, err)) < 0)
        return rc;
    if (!fail_of(mode, &c->fail))
        return err_text(err, ERR_INVALID, "there is no failure called %s", mode);
    if (c->fail_every_s > 0 && c->fail_for_s >= c->fail_every_s)
        return err_text(err, ERR_INVALID, "for_s must be less than every_s");
    return 0;
}

/* A number, or "any". */
static int read_port(const json_t *o, struct camera_config *c, struct err *err)
{
    const json_t *v = json_object_get(o, "port");
    int rc = text(o, "address", c->address, err);
    if (rc < 0)
        return rc;
    if (json_is_string(v) && strcmp(json_string_value(v), "any") == 0) {
        c->has_port = true;
        return 0;
    }
    rc = port(o, "port", &c->port, err);
    c->has_port = c->port > 0;
    return rc;
}

static int read_script(const json_t *o, struct camera_config *c, struct err *err)
{
    double timeout_s = 0;
    double types[2] = {0, 0};
    int rc = number(o, "session_timeout", 1, 3600, &timeout_s, err);
    if (rc >= 0)
        rc = number(o, "payload_type", 0, 127, &types[0], err);
    if (rc >= 0)
        rc = number(o, "audio_payload_type", 0, 127, &types[1], err);
    c->session_timeout_s = (int)timeout_s;
    c->payload_types[0] = (int)types[0];
    c->payload_types[1] = (int)types[1];
    json_t *rules = json_object_get(o, "rtsp");
    json_t *uris = json_object_get(o, "uris");
    json_t *mutations = json_object_get(o, "rtp");
    if (rc >= 0 && rules)
        rc = script_check(rules, err);
    if (rc >= 0 && uris)
        rc = script_check_uris(uris, err);
    if (rc >= 0 && mutations)
        rc = mutate_check(mutations, err);
    c->rules = json_incref(rules);
    c->uris = json_incref(uris);
    c->mutations = json_incref(mutations);
    return rc;
}

static int read_camera(json_t *o, struct camera_config *c, struct err *err)
{
    static const char *const keys[] = {"id",
                                       "address",
                                       "name",
                                       "label",
                                       "main",
                                       "sub",
                                       "audio",
                                       "auth",
                                       "qop",
                                       "username",
                                       "password",
                                       "port",
                                       "fail",
                                       "rtsp",
                                       "uris",
                                       "rtp",
                                       "realm",
                                       "session_timeout",
                                       "payload_type",
                                       "audio_payload_type",
                                       NULL};
    struct picture_source *main_source = &c->pictures[STREAM_MAIN];
    struct picture_source *sub_source = &c->pictures[STREAM_SUB];
    *main_source = (struct picture_source){.width = 960,
                                           .height = 540,
                                           .fps_milli = 12000,
                                           .gop = 24,
                                           .bitrate_bps = 700000,
                                           .codec = CODEC_H264};
    if (!json_is_object(o))
        return err_text(err, ERR_INVALID, "must be an object");
    int rc = known_keys(o, keys, err);
    if (rc < 0 || (rc = text(o, "id", c->id, err)) < 0)
        return rc;
    if (!str_is_id(c->id))
        return err_text(err, ERR_INVALID, "id must be 1 to 64 letters, digits, - or _");
    str_copy(c->name, sizeof c->name, c->id);
    str_copy(c->label, sizeof c->label, c->id);
    rc = json_object_get(o, "main") ? read_source(json_object_get(o, "main"), main_source, err)
                                    : err_text(err, ERR_INVALID, "main is missing");
    if (rc < 0)
        return rc;
    *sub_source = (struct picture_source){.width = 480,
                                          .height = 270,
                                          .fps_milli = 10000,
                                          .gop = 20,
                                          .bitrate_bps = 200000,
                                          .codec = CODEC_H264,
                                          .scene = main_source->scene,
                                          .seed = main_source->seed};
    if (json_object_get(o, "sub") &&
        (rc = read_source(json_object_get(o, "sub"), sub_source, err)) < 0)
        return err_wrap(err, rc, "sub");
    if ((rc = text(o, "name", c->name, err)) < 0 || (rc = text(o, "label", c->label, err)) < 0 ||
        (rc = read_port(o, c, err)) < 0 || (rc = read_auth(o, c, err)) < 0 ||
        (rc = read_sound(o, c, err)) < 0 || (rc = read_fail(o, c, err)) < 0 ||
        (rc = read_script(o, c, err)) < 0)
        return rc;
    return 0;
}

static int read_all(struct config *c, json_t *root, struct err *err)
{
    static const char *const keys[] = {"address", "port", "control_port", "cameras", NULL};
    int rc = known_keys(root, keys, err);
    if (rc < 0 || (rc = text(root, "address", c->address, err)) < 0 ||
        (rc = port(root, "port", &c->port, err)) < 0 ||
        (rc = port(root, "control_port", &c->control_port, err)) < 0)
        return rc;
    if (json_object_get(root, "control_port"))
        c->has_control = true;
    json_t *list = json_object_get(root, "cameras");
    size_t n = json_array_size(list);
    if (n == 0 || n > CONFIG_MAX_CAMERAS)
        return err_text(err, ERR_INVALID, "cameras must be a list of 1 to %d", CONFIG_MAX_CAMERAS);
    c->cameras = xcalloc(n, sizeof *c->cameras);
    c->n_cameras = n;
    for (size_t i = 0; i < n; i++) {
        rc = read_camera(json_array_get(list, i), &c->cameras[i], err);
        if (rc < 0)
            return err_wrap(err, rc, "camera %zu", i + 1);
    }
    return 0;
}

int config_from_json(struct config *c, const char *path, struct err *err)
{
    json_error_t why;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return err_text(err, ERR_PARSE, "%s, line %d: %s", path, why.line, why.text);
    int rc = read_all(c, root, err);
    json_decref(root);
    return rc < 0 ? err_wrap(err, rc, "%s", path) : 0;
}
