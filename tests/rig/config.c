#include "config.h"

#include <getopt.h>
#include <string.h>

#include "base/str.h"

static const char usage[] =
    "usage: rookery-camsim --config FILE.json [options]\n"
    "       rookery-camsim --count N [options]      cameras cam-001 ... on rtsp://ADDRESS:PORT/ID\n"
    "where the pictures come from (with --count)\n"
    "  --file F.mp4          a file, looped\n"
    "  --scenes              drawn rooms, encoded live, another one for each camera\n"
    "                        (neither: one drawn room, encoded once and looped by all)\n"
    "  --codec h264|h265|mjpeg   --scene-size WxH   --scene-fps N   --gop N   --bitrate BPS\n"
    "  --sub                 with a second, small stream at .../ID/sub\n"
    "  --audio aac|pcma|l16|pcm|file\n"
    "  --cache DIR           keep looped scenes there as MP4 for the next start\n"
    "how they are served\n"
    "  --address A           default 127.0.0.1\n"
    "  --port N              default 8554; 0 = any free one\n"
    "  --base-port N         one port per camera, from N upwards (with --count)\n"
    "  --control-port N      HTTP control; 0 = any free one\n"
    "  --transport tcp|udp|both\n"
    "  --auth none|basic|digest|digest-sha256   --user U   --password P\n"
    "  --session-timeout S   default 60\n"
    "  --fail MODE           every camera: pull refuse silent stall garbage unauthorized not_found\n"
    "                        busy no_video http drop slow\n"
    "  --drop P              share of RTP packets lost in mode drop\n"
    "for the bench\n"
    "  --spread              looped streams run from the start, each at another place, so that\n"
    "                        the key frames of many cameras do not coincide\n"
    "  --spread-addresses N  listen on 127.1.0.1 ... too (250 in each 127.1.x), so that the cameras\n"
    "                        can stand for many hosts: any of them answers for every camera\n"
    "  --identity FILE       write the identity of every picture of the first camera's loop\n"
    "  --stamps FILE         publish when each picture was sent\n";

enum option_id {
    O_CONFIG = 256,
    O_COUNT,
    O_FILE,
    O_SCENES,
    O_CODEC,
    O_SIZE,
    O_FPS,
    O_GOP,
    O_BITRATE,
    O_SUB,
    O_AUDIO,
    O_CACHE,
    O_ADDRESS,
    O_PORT,
    O_BASE_PORT,
    O_CONTROL_PORT,
    O_TRANSPORT,
    O_AUTH,
    O_USER,
    O_PASSWORD,
    O_SESSION_TIMEOUT,
    O_FAIL,
    O_DROP,
    O_SPREAD,
    O_SPREAD_ADDRESSES,
    O_IDENTITY,
    O_STAMPS,
    O_HELP,
};

static const struct option options[] = {
    {"config", required_argument, NULL, O_CONFIG},
    {"count", required_argument, NULL, O_COUNT},
    {"file", required_argument, NULL, O_FILE},
    {"scenes", no_argument, NULL, O_SCENES},
    {"codec", required_argument, NULL, O_CODEC},
    {"scene-size", required_argument, NULL, O_SIZE},
    {"scene-fps", required_argument, NULL, O_FPS},
    {"gop", required_argument, NULL, O_GOP},
    {"bitrate", required_argument, NULL, O_BITRATE},
    {"sub", no_argument, NULL, O_SUB},
    {"audio", required_argument, NULL, O_AUDIO},
    {"cache", required_argument, NULL, O_CACHE},
    {"address", required_argument, NULL, O_ADDRESS},
    {"port", required_argument, NULL, O_PORT},
    {"base-port", required_argument, NULL, O_BASE_PORT},
    {"control-port", required_argument, NULL, O_CONTROL_PORT},
    {"transport", required_argument, NULL, O_TRANSPORT},
    {"auth", required_argument, NULL, O_AUTH},
    {"user", required_argument, NULL, O_USER},
    {"password", required_argument, NULL, O_PASSWORD},
    {"session-timeout", required_argument, NULL, O_SESSION_TIMEOUT},
    {"fail", required_argument, NULL, O_FAIL},
    {"drop", required_argument, NULL, O_DROP},
    {"spread", no_argument, NULL, O_SPREAD},
    {"spread-addresses", required_argument, NULL, O_SPREAD_ADDRESSES},
    {"identity", required_argument, NULL, O_IDENTITY},
    {"stamps", required_argument, NULL, O_STAMPS},
    {"help", no_argument, NULL, O_HELP},
    {NULL, 0, NULL, 0},
};

/* What the command line says about all cameras alike. */
struct wish {
    const char *config, *file, *port, *control_port;
    bool has_scenes, has_sub;
    int count, base_port;
    struct camera_config like;
};

static int bad(struct err *err, const char *name, const char *value)
{
    return err_text(err, ERR_INVALID, "--%s: %s is not possible here; see --help", name, value);
}

static bool whole(const char *text, int64_t min, int64_t max, int64_t *out)
{
    return span_i64(span_of(text), out) && *out >= min && *out <= max;
}

static bool choose(const char *text, const char *const *names, int *out)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool config_codec(const char *name, enum codec *out)
{
    static const struct {
        const char *name;
        enum codec codec;
    } names[] = {{"h264", CODEC_H264}, {"h265", CODEC_H265}, {"mjpeg", CODEC_JPEG}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i].name) == 0) {
            *out = names[i].codec;
            return true;
        }
    }
    return false;
}

/* Options about the picture. Returns 1 when id is not one of them. */
static int take_picture(struct wish *w, int id, const char *arg)
{
    struct picture_source *s = &w->like.pictures[STREAM_MAIN];
    int64_t v = 0;
    int used = 0;
    bool ok = true;
    switch (id) {
    case O_CODEC:
        ok = config_codec(arg, &s->codec);
        break;
    case O_SIZE:
        ok = sscanf(arg, "%4dx%4d%n", &s->width, &s->height, &used) == 2 && !arg[used] &&
             s->width >= 64 && s->height >= 64 && s->width % 2 == 0 && s->height % 2 == 0;
        break;
    case O_FPS:
        ok = whole(arg, 1, 60, &v);
        s->fps_milli = (int)v * 1000;
        break;
    case O_GOP:
        ok = whole(arg, 1, 1000, &v);
        s->gop = (int)v;
        break;
    case O_BITRATE:
        ok = whole(arg, 10000, 20000000, &s->bitrate_bps);
        break;
    default:
        return 1;
    }
    return ok ? 0 : ERR_INVALID;
}

/* Options about every camera's manners. Returns 1 when id is not one of them. */
static int take_camera(struct wish *w, int id, const char *arg)
{
    static const char *const sounds[] = {"none", "file", "aac", "pcma", "l16", "pcm", NULL};
    static const char *const auths[] = {"none", "basic", "digest", "digest-sha256", NULL};
    static const enum auth_scheme schemes[] = {AUTH_NONE, AUTH_BASIC, AUTH_MD5, AUTH_SHA256};
    int i = 0;
    bool ok = true;
    switch (id) {
    case O_AUDIO:
        ok = choose(arg, sounds, &i);
        w->like.sound = (enum sound)i;
        break;
    case O_AUTH:
        ok = choose(arg, auths, &i);
        w->like.auth = schemes[i];
        break;
    case O_USER:
        ok = str_copy(w->like.user, CONFIG_TEXT_BYTES, arg);
        break;
    case O_PASSWORD:
        ok = str_copy(w->like.password, CONFIG_TEXT_BYTES, arg);
        break;
    case O_FAIL:
        ok = fail_of(arg, &w->like.fail);
        break;
    case O_DROP:
        ok = span_double(span_of(arg), &w->like.drop) && w->like.drop >= 0 && w->like.drop <= 1;
        break;
    default:
        return 1;
    }
    return ok ? 0 : ERR_INVALID;
}

static int take_server(struct config *c, struct wish *w, int id, const char *arg)
{
    static const char *const transports[] = {"both", "tcp", "udp", NULL};
    int64_t v = 0;
    int i = 0;
    bool ok = true;
    switch (id) {
    case O_CONFIG:
        w->config = arg;
        break;
    case O_COUNT:
        ok = whole(arg, 1, CONFIG_MAX_CAMERAS, &v);
        w->count = (int)v;
        break;
    case O_FILE:
        w->file = arg;
        break;
    case O_SCENES:
        w->has_scenes = true;
        break;
    case O_SUB:
        w->has_sub = true;
        break;
    case O_CACHE:
        c->cache_dir = xstrdup(arg);
        break;
    case O_ADDRESS:
        ok = str_copy(c->address, sizeof c->address, arg);
        break;
    case O_PORT:
        ok = whole(arg, 0, 65535, &v);
        w->port = arg;
        break;
    case O_BASE_PORT:
        ok = whole(arg, 1, 65535, &v);
        w->base_port = (int)v;
        break;
    case O_CONTROL_PORT:
        ok = whole(arg, 0, 65535, &v);
        w->control_port = arg;
        break;
    case O_TRANSPORT:
        ok = choose(arg, transports, &i);
        c->allows_tcp = i != 2;
        c->allows_udp = i != 1;
        break;
    case O_SESSION_TIMEOUT:
        ok = whole(arg, 1, 3600, &v);
        c->session_timeout_s = (int)v;
        break;
    case O_SPREAD_ADDRESSES:
        ok = whole(arg, 0, CONFIG_MAX_CAMERAS, &v);
        c->n_addresses = (int)v;
        break;
    case O_SPREAD:
        c->is_spread = true;
        break;
    case O_IDENTITY:
        c->identity_path = xstrdup(arg);
        break;
    case O_STAMPS:
        c->stamps_path = xstrdup(arg);
        break;
    default:
        return 1;
    }
    return ok ? 0 : ERR_INVALID;
}

static int make_cameras(struct config *c, const struct wish *w, struct err *err)
{
    if (w->base_port + w->count > 65536)
        return err_text(err, ERR_INVALID, "--base-port leaves no room for %d cameras", w->count);
    c->n_cameras = (size_t)w->count;
    c->cameras = xcalloc(c->n_cameras, sizeof *c->cameras);
    for (size_t i = 0; i < c->n_cameras; i++) {
        struct camera_config *cam = &c->cameras[i];
        struct picture_source *s = &cam->pictures[STREAM_MAIN];
        *cam = w->like;
        snprintf(cam->id, sizeof cam->id, "cam-%03zu", i + 1);
        str_copy(cam->name, sizeof cam->name, cam->id);
        str_copy(cam->label, sizeof cam->label, w->has_scenes ? cam->id : "loop");
        cam->has_port = w->base_port > 0;
        cam->port = w->base_port ? (uint16_t)(w->base_port + (int)i) : 0;
        s->is_on = true;
        s->file = w->file ? xstrdup(w->file) : NULL;
        s->is_live = w->has_scenes;
        s->scene = w->has_scenes ? (enum scene_kind)(i % SCENE_KINDS) : SCENE_ACTIVITY;
        s->seed = w->has_scenes ? (unsigned)i : 0;
        cam->pictures[STREAM_SUB] = (struct picture_source){
            .is_on = w->has_sub,
            .is_live = s->is_live,
            .scene = s->scene,
            .seed = s->seed,
            .codec = CODEC_H264,
            .width = 480,
            .height = 270,
            .fps_milli = MIN(s->fps_milli, 10000),
            .gop = 20,
            .bitrate_bps = 200000,
        };
    }
    return 0;
}

void config_init(struct config *c)
{
    *c = (struct config){
        .address = "127.0.0.1",
        .port = 8554,
        .allows_tcp = true,
        .allows_udp = true,
        .session_timeout_s = 60,
    };
}

void config_fini(struct config *c)
{
    for (size_t i = 0; i < c->n_cameras; i++)
        for (int s = 0; s < STREAMS; s++)
            free(c->cameras[i].pictures[s].file);
    for (size_t i = 0; i < c->n_cameras; i++) {
        json_decref(c->cameras[i].rules);
        json_decref(c->cameras[i].uris);
        json_decref(c->cameras[i].mutations);
    }
    free(c->cameras);
    free(c->cache_dir);
    free(c->identity_path);
    free(c->stamps_path);
    *c = (struct config){0};
}

/* The command line has the last word over a file's ports. */
static void override_ports(struct config *c, const struct wish *w)
{
    int64_t v;
    if (w->port && span_i64(span_of(w->port), &v))
        c->port = (uint16_t)v;
    if (w->control_port && span_i64(span_of(w->control_port), &v)) {
        c->control_port = (uint16_t)v;
        c->has_control = true;
    }
}

int config_from_args(struct config *c, int argc, char **argv, struct err *err)
{
    struct wish w = {.like.pictures[STREAM_MAIN] = {
                         .codec = CODEC_H264,
                         .width = 1920,
                         .height = 1080,
                         .fps_milli = 25000,
                         .gop = 50,
                         .bitrate_bps = 2000000,
                     }};
    int id;
    int index = 0;
    opterr = 0;
    while ((id = getopt_long(argc, argv, "", options, &index)) >= 0) {
        if (id == O_HELP) {
            fputs(usage, stdout);
            return 1;
        }
        if (id == '?')
            return err_text(err, ERR_INVALID, "%s: unknown, or without its value; see --help",
                            argv[optind - 1]);
        int rc = take_picture(&w, id, optarg);
        if (rc > 0)
            rc = take_camera(&w, id, optarg);
        if (rc > 0)
            rc = take_server(c, &w, id, optarg);
        if (rc < 0)
            return bad(err, options[index].name, optarg);
    }
    if (optind < argc)
        return err_text(err, ERR_INVALID, "%s: not expected; see --help", argv[optind]);
    if ((w.config != NULL) == (w.count > 0))
        return err_text(err, ERR_INVALID, "either --config or --count is needed; see --help");
    int rc = w.config ? config_from_json(c, w.config, err) : make_cameras(c, &w, err);
    override_ports(c, &w);
    return rc;
}
