#include "media_rig.h"

#include "base/buf.h"
#include "base/err.h"
#include "media/sdp.h"

#define B64_SETS "Z0LAFtkAoC/5cBEAAAMAAQAAAwAeDxYuSA==,aMuDyyA="
#define HEAD     "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\n"

struct sdp_case {
    const char *name;
    const char *text;
    size_t n_medias;
    /* "codec/pt/clock/channels/control/WxH", one per media, blank separated */
    const char *want;
};

static const struct sdp_case cases[] = {
    {"plain",
     HEAD "a=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
          "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=" B64_SETS "\r\n"
          "a=control:trackID=0\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n",
     2, "h264/96/90000/0/trackID=0/640x360 pcma/8/8000/0/trackID=1/0x0 "},
    {"truncated o= and c= (D1)",
     "v=0\r\no=- 1001 1 IN \r\ns=x\r\nc=IN \r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
     1, "h264/96/90000/0//0x0 "},
    {"starts at m= (D2), LF only", "m=video 0 RTP/AVP 35\na=rtpmap:35 H265/90000\n", 1,
     "h265/35/90000/0//0x0 "},
    {"an invalid third media (D3)",
     HEAD "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
          "m=application/TP-LINK 0 RTP/AVP smart/1/90000\r\na=rtpmap:95 TP-LINK/90000\r\n"
          "a=control:track3\r\nm=vana\r\nm=\r\n",
     4, "h264/96/90000/0//0x0 none/-1/0/0/track3/0x0 none/-1/0/0//0x0 none/-1/0/0//0x0 "},
    {"parameters of the video under the audio, two controls, session lines inside (D4)",
     HEAD
     "m=video 0 RTP/AVP 96\r\ns=again\r\na=control:one\r\na=rtpmap:96 H264/90000\r\na=control:two\r\n"
     "m=audio 0 RTP/AVP 0\r\na=fmtp:96 sprop-parameter-sets=" B64_SETS "\r\n",
     2, "h264/96/90000/0/two/640x360 pcmu/0/8000/0//0x0 "},
    {"a blank behind rtpmap (D5) and a wrong clock rate (T8)",
     HEAD "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/30000 \r\n", 1, "h264/96/90000/0//0x0 "},
    {"odd fmtp (D6)",
     HEAD "m=video 0 RTP/AVP 96\r\na=rtpmap:96 h264/90000\r\na=fmtp:96\r\n"
          "a=fmtp:96 profile-level-id=5046302; Sprop-Parameter-Sets = " B64_SETS " ; junk;;\r\n",
     1, "h264/96/90000/0//640x360 "},
    {"sets with start codes in front and behind (D7)",
     HEAD "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
          "a=fmtp:96 sprop-parameter-sets=AAAAAWdCwBbZAKAv+XARAAADAAEAAAMAHg8WLkg=,"
          "aMuDyyAAAAAB\r\n",
     1, "h264/96/90000/0//640x360 "},
    {"both sets in one item, without padding (D7)",
     HEAD "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
          "a=fmtp:96 sprop-parameter-sets=AAAAAWdCwBbZAKAv+XARAAADAAEAAAMAHg8WLkgAAAABaMuDyyA\r\n",
     1, "h264/96/90000/0//640x360 "},
    {"sets that are none (D7)",
     HEAD "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
          "a=fmtp:96 sprop-parameter-sets=6QDwBE/LRvZFcQ,,%%%,AAAA\r\n",
     1, "h264/96/90000/0//0x0 "},
    {"H.265 with some of the sets (D7)",
     HEAD "m=video 0 RTP/AVP 96\r\na=rtpmap:96 HEVC/90000\r\n"
          "a=fmtp:96 sprop-pps=RAHBcrRiQA==;packetization-mode=1;config=00\r\n",
     1, "h265/96/90000/0//0x0 "},
    {"rtpmap wins over the static table (D8)",
     HEAD "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMU/8000/1\r\nm=audio 0 RTP/AVP 0\r\na=rtpmap:0 "
          "MPEG4-GENERIC/16000\r\na=fmtp:0 config=1408\r\nm=audio 0 RTP/AVP 97\r\n",
     3, "pcmu/8/8000/1//0x0 aac/0/16000/0//0x0 none/97/0/0//0x0 "},
    {"empty lines and attributes",
     "m=video 0 RTP/AVP 96\r\na=\r\na=:\r\na= \r\na=rtpmap:\r\na=rtpmap:96 H264/90000\r\na=fmtp:\r\n",
     1, "h264/96/90000/0//0x0 "},
    {"a static type, and codecs that are not carried keep their names",
     HEAD "m=video 0 RTP/AVP 26\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 MP4A-LATM/48000/2\r\n"
          "m=video 0 RTP/AVP 96\r\na=rtpmap:96 PCMA/8000\r\n",
     3, "jpeg/26/90000/0//0x0 none/97/48000/2//0x0 none/96/8000/0//0x0 "},
    {"sizes beside JPEG, which its payload may not tell",
     HEAD "m=video 0 RTP/AVP 26\r\na=framesize:26 3840-2160\r\n"
          "m=video 0 RTP/AVP 98\r\na=rtpmap:98 JPEG/90000\r\na=x-dimensions: 2560,1920\r\n"
          "m=video 0 RTP/AVP 26\r\na=framesize:96 640-480\r\na=x-dimensions:0,70000\r\n"
          "a=framesize:26 640\r\n",
     3, "jpeg/26/90000/0//3840x2160 jpeg/98/90000/0//2560x1920 jpeg/26/90000/0//0x0 "},
    {"ranges in the port, other protocols (D10)",
     HEAD "m=video 0/2 TCP/RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=video 0 MP2T/H2221/UDP 33\r\n",
     2, "h264/96/90000/0//0x0 none/-1/0/0//0x0 "},
};

static void describe(const struct sdp *sdp, struct buf *out)
{
    for (size_t i = 0; i < sdp->n_medias; i++) {
        const struct sdp_media *m = &sdp->medias[i];
        buf_printf(out, "%s/%d/%u/%d/%s/%dx%d ", codec_name(m->codec), m->payload_type,
                   m->clock_rate, m->channels, m->control, m->format ? m->format->width : 0,
                   m->format ? m->format->height : 0);
    }
}

static void D4_D7_reads_what_cameras_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sdp sdp;
        struct buf text = {0};
        assert_int_equal(sdp_parse(span_of(cases[i].text), &sdp, NULL), 0);
        describe(&sdp, &text);
        if (strcmp(buf_cstr(&text), cases[i].want) != 0)
            print_error("case: %s\n", cases[i].name);
        assert_string_equal(buf_cstr(&text), cases[i].want);
        assert_int_equal(sdp.n_medias, cases[i].n_medias);
        buf_fini(&text);
        sdp_fini(&sdp);
    }
}

static void reads_the_session_level(void **state)
{
    (void)state;
    struct sdp sdp;
    assert_int_equal(sdp_parse(span_of("v=0\r\na=tool:LIVE555 Streaming Media\r\na=control:*\r\n"
                                       "m=audio 0 RTP/AVP 0\r\na=sendonly\r\n"),
                               &sdp, NULL),
                     0);
    assert_string_equal(sdp.tool, "LIVE555 Streaming Media");
    assert_string_equal(sdp.control, "*");
    assert_true(sdp.medias[0].is_sendonly);
    sdp_fini(&sdp);
}

static void reads_aac_parameters(void **state)
{
    (void)state;
    struct sdp sdp;
    assert_int_equal(
        sdp_parse(
            span_of("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/8000\r\n"
                    "a=fmtp:97 SizeLength=13;indexLength=3; indexdeltalength=3;config=1190\r\n"
                    "m=audio 0 RTP/AVP 98\r\na=rtpmap:98 mpeg4-generic/16000/2\r\n"
                    "a=fmtp:98 config=zz\r\n"),
            &sdp, NULL),
        0);
    assert_int_equal(sdp.medias[0].aac_size_length, 13);
    assert_int_equal(sdp.medias[0].aac_index_length, 3);
    assert_int_equal(sdp.medias[0].aac_index_delta_length, 3);
    assert_int_equal(sdp.medias[0].format->sample_rate, 48000); /* the config wins (T8) */
    assert_int_equal(sdp.medias[0].format->channels, 2);
    assert_int_equal(sdp.medias[1].format->sample_rate, 16000); /* made up from the rtpmap */
    assert_int_equal(sdp.medias[1].format->channels, 2);
    sdp_fini(&sdp);
}

static void bounds_medias_and_needs_one(void **state)
{
    (void)state;
    struct sdp sdp;
    struct err err;
    assert_int_equal(sdp_parse(span_of(HEAD), &sdp, &err), ERR_PARSE);
    assert_string_equal(err.msg, "session description without any media");
    sdp_fini(&sdp);
    struct buf text = {0};
    for (int i = 0; i < 100; i++)
        buf_puts(&text, "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 a=b\r\n");
    assert_int_equal(sdp_parse((struct span){(char *)text.data, text.len}, &sdp, NULL), 0);
    assert_int_equal(sdp.n_medias, SDP_MAX_MEDIAS);
    sdp_fini(&sdp);
    buf_fini(&text);
}

/* The order of the bytes goes by the name; what is out of bounds is named with the reason. */
static void M2_reads_16_bit_samples(void **state)
{
    (void)state;
    static const struct {
        const char *media;
        enum codec codec;
        int rate, channels;
        const char *name;
    } lines[] = {
        {"10\r\n", CODEC_S16BE, 44100, 2, "L16"},
        {"11\r\n", CODEC_S16BE, 44100, 1, "L16"},
        {"97\r\na=rtpmap:97 L16/16000/2\r\n", CODEC_S16BE, 16000, 2, "L16"},
        {"97\r\na=rtpmap:97 l16/8000\r\n", CODEC_S16BE, 8000, 1, "l16"},
        {"11\r\na=rtpmap:11 PCM/48000\r\n", CODEC_S16LE, 48000, 1, "PCM"},
        {"10\r\na=rtpmap:10 L16/22050\r\n", CODEC_S16BE, 22050, 1, "L16"},
        {"97\r\na=rtpmap:97 L16/96000\r\n", CODEC_NONE, 0, 0, "L16/96000/1"},
        {"97\r\na=rtpmap:97 PCM/16000/6\r\n", CODEC_NONE, 0, 0, "PCM/16000/6"},
        {"97\r\na=rtpmap:97 L24/16000/2\r\n", CODEC_NONE, 0, 0, "L24"},
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char text[256];
        struct sdp sdp;
        snprintf(text, sizeof text, HEAD "m=audio 0 RTP/AVP %s", lines[i].media);
        assert_int_equal(sdp_parse(span_of(text), &sdp, NULL), 0);
        const struct sdp_media *m = &sdp.medias[0];
        assert_int_equal(m->codec, lines[i].codec);
        assert_string_equal(m->name, lines[i].name);
        assert_int_equal(m->format != NULL, lines[i].codec != CODEC_NONE);
        if (m->format) {
            assert_int_equal(m->format->sample_rate, lines[i].rate);
            assert_int_equal(m->format->channels, lines[i].channels);
        }
        sdp_fini(&sdp);
    }
}

static void prints_what_it_parses(void **state)
{
    (void)state;
    struct format *videos[] = {h264_format(SPS_1080, PPS_1080),
                               h265_format(VPS_5M, SPS_5M, PPS_5M)};
    struct format *audios[5];
    format_create_audio(CODEC_AAC, 16000, 1, NULL, 0, &audios[0]);
    format_create_audio(CODEC_PCMA, 8000, 1, NULL, 0, &audios[1]);
    format_create_audio(CODEC_PCMU, 8000, 1, NULL, 0, &audios[2]);
    format_create_audio(CODEC_S16BE, 44100, 2, NULL, 0, &audios[3]);
    format_create_audio(CODEC_S16LE, 8000, 1, NULL, 0, &audios[4]);
    for (size_t i = 0; i < 2 * ARRAY_LEN(audios); i++) {
        struct format *v = videos[i % 2], *a = audios[i / 2];
        struct buf text = {0};
        struct sdp sdp;
        sdp_print(v, a, "name", &text);
        assert_int_equal(sdp_parse((struct span){(char *)text.data, text.len}, &sdp, NULL), 0);
        assert_int_equal(sdp.n_medias, 2);
        assert_true(format_eq(sdp.medias[0].format, v));
        assert_true(format_eq(sdp.medias[1].format, a));
        assert_string_equal(sdp.medias[1].control, "trackID=1");
        sdp_fini(&sdp);
        buf_fini(&text);
    }
    for (size_t i = 0; i < 2; i++)
        format_unref(&videos[i]);
    for (size_t i = 0; i < ARRAY_LEN(audios); i++)
        format_unref(&audios[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(D4_D7_reads_what_cameras_write),
        cmocka_unit_test(reads_the_session_level),
        cmocka_unit_test(reads_aac_parameters),
        cmocka_unit_test(bounds_medias_and_needs_one),
        cmocka_unit_test(M2_reads_16_bit_samples),
        cmocka_unit_test(prints_what_it_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
