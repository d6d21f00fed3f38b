/* An independent camera: GStreamer's RTSP server, which shares no line with the simulator or the
 * product. Serves rtsp://127.0.0.1:PORT/test: a live x264 picture with a clock, moving JPEG images,
 * or an MP4 file.
 * With --tls it is rtsps:// only; RTSP over HTTP works on the same port, as that server has it.
 * usage: gst-camera PORT [--file F.mp4 h264|h265] [--images WIDTH HEIGHT] [--sound aac|pcma|l16
 * RATE]
 *                        [--auth USER PASSWORD] [--tls CERT KEY] */
#include <gst/rtsp-server/rtsp-server.h>
#include <string.h>

static const char live[] =
    "( %s videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=15/1 ! "
    "%s x264enc tune=zerolatency speed-preset=ultrafast bitrate=500 key-int-max=30 ! "
    "rtph264pay name=pay0 pt=96 config-interval=-1 )";

/* MJPEG of 4:2:2, as cameras send it. */
static char *images_text(const char *width, const char *height)
{
    return g_strdup_printf("( videotestsrc is-live=true pattern=ball ! "
                           "video/x-raw,format=Y42B,width=%s,height=%s,framerate=15/1 ! "
                           "jpegenc quality=70 ! rtpjpegpay name=pay0 pt=26 )",
                           width, height);
}

/* A tone beside the live picture; "" when codec is NULL. */
static char *sound_text(const char *codec, const char *rate)
{
    if (!codec)
        return g_strdup("");
    const char *encoder = strcmp(codec, "aac") == 0   ? "avenc_aac bitrate=64000 ! rtpmp4gpay pt=97"
                          : strcmp(codec, "l16") == 0 ? "rtpL16pay pt=97"
                                                      : "alawenc ! rtppcmapay pt=8";
    return g_strdup_printf("audiotestsrc is-live=true freq=440 ! audio/x-raw,rate=%s,channels=1 ! "
                           "audioconvert ! %s name=pay1",
                           rate, encoder);
}

static char *launch_text(const char *file, const char *codec, const char *sound)
{
    if (file)
        return g_strdup_printf("( filesrc location=\"%s\" ! qtdemux ! %sparse ! rtp%spay name=pay0 "
                               "pt=96 config-interval=-1 )",
                               file, codec, codec);
    GstElementFactory *clock = gst_element_factory_find("clockoverlay");
    char *text = g_strdup_printf(live, sound, clock ? "clockoverlay font-desc=\"Sans 24\" !" : "");
    if (clock)
        gst_object_unref(clock);
    return text;
}

/* Whoever comes is this one. */
static void let_everybody_in(GstRTSPAuth *auth)
{
    GstRTSPToken *token =
        gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "viewer", NULL);
    gst_rtsp_auth_set_default_token(auth, token);
    gst_rtsp_token_unref(token);
}

static gboolean speak_tls(GstRTSPAuth *auth, const char *cert_file, const char *key_file)
{
    GError *error = NULL;
    GTlsCertificate *cert = g_tls_certificate_new_from_files(cert_file, key_file, &error);
    if (!cert) {
        g_printerr("gst-camera: %s\n", error->message);
        g_error_free(error);
        return FALSE;
    }
    gst_rtsp_auth_set_tls_certificate(auth, cert);
    g_object_unref(cert);
    return TRUE;
}

static void require_password(GstRTSPAuth *auth, const char *user, const char *password)
{
    GstRTSPToken *token =
        gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "viewer", NULL);
    char *basic = gst_rtsp_auth_make_basic(user, password);
    gst_rtsp_auth_add_basic(auth, basic, token);
    g_free(basic);
    gst_rtsp_token_unref(token);
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    const char *file = NULL;
    const char *codec = NULL;
    char *images = NULL;
    const char *sound = NULL;
    const char *rate = NULL;
    GstRTSPServer *server = gst_rtsp_server_new();
    GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
    GstRTSPAuth *auth = gst_rtsp_auth_new();
    gboolean has_user = FALSE;
    gboolean has_tls = FALSE;
    for (int i = 2; i + 2 < argc; i += 3) {
        if (strcmp(argv[i], "--file") == 0) {
            file = argv[i + 1];
            codec = argv[i + 2];
        } else if (strcmp(argv[i], "--images") == 0) {
            images = images_text(argv[i + 1], argv[i + 2]);
        } else if (strcmp(argv[i], "--sound") == 0) {
            sound = argv[i + 1];
            rate = argv[i + 2];
        } else if (strcmp(argv[i], "--auth") == 0) {
            require_password(auth, argv[i + 1], argv[i + 2]);
            has_user = TRUE;
        } else if (strcmp(argv[i], "--tls") == 0) {
            if (!speak_tls(auth, argv[i + 1], argv[i + 2]))
                return 1;
            has_tls = TRUE;
        }
    }
    if (argc < 2 || (argc - 2) % 3 != 0) {
        g_printerr("usage: gst-camera PORT [--file F.mp4 h264|h265] [--images WIDTH HEIGHT] "
                   "[--sound aac|pcma|l16 RATE] [--auth USER PASSWORD] [--tls CERT KEY]\n");
        return 2;
    }
    if (!has_user)
        let_everybody_in(auth);
    if (has_user || has_tls) {
        gst_rtsp_media_factory_add_role(factory, "viewer", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS,
                                        G_TYPE_BOOLEAN, TRUE, GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
                                        G_TYPE_BOOLEAN, TRUE, NULL);
        gst_rtsp_server_set_auth(server, auth);
    }
    g_object_unref(auth);
    char *tone = sound_text(sound, rate);
    char *launch = images ? images : launch_text(file, codec, tone);
    g_free(tone);
    gst_rtsp_media_factory_set_launch(factory, launch);
    gst_rtsp_media_factory_set_shared(factory, file == NULL);
    g_free(launch);

    GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points(server);
    gst_rtsp_mount_points_add_factory(mounts, "/test", factory);
    g_object_unref(mounts);
    gst_rtsp_server_set_address(server, "127.0.0.1");
    gst_rtsp_server_set_service(server, argv[1]);
    if (gst_rtsp_server_attach(server, NULL) == 0) {
        g_printerr("gst-camera: port %s is not free\n", argv[1]);
        return 1;
    }
    g_print("ready: rtsp%s://127.0.0.1:%s/test\n", has_tls ? "s" : "", argv[1]);
    g_main_loop_run(g_main_loop_new(NULL, FALSE));
    return 0;
}
