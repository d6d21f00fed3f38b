#include "ingest/av_remux.h"

#include <libavformat/avformat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "ingest/av_open.h"
#include "ingest/av_track.h"

#define MAX_WAITING       2048
#define MAX_WAITING_BYTES (48u << 20)
#define AUDIO_WAIT_US     US_PER_S /* for the first sound, from the first picture on */
#define LATE_US           US_PER_S /* the source ran dry: count anew */
#define JUMP_US           (10 * US_PER_S)
#define MAX_BAD           30
#define SDP_BYTES         8192

enum { VIDEO, AUDIO, KINDS };

struct av_remux {
    AVFormatContext *input;
    struct av_patience patience;
    int silence_ms;
    int stream_of[KINDS]; /* in the input; -1 = none */
    struct av_track *tracks[KINDS];
    int n_tracks;
    char sdp[SDP_BYTES];

    /* read while the tracks were found out, oldest first */
    AVPacket *waiting[MAX_WAITING];
    int n_waiting, i_waiting;
    size_t n_waiting_bytes;

    int n_bad; /* pictures in a row that could not be sent */

    /* pace */
    bool is_paced;
    bool has_base;
    int64_t base_mono_us, base_dts_us, last_dts_us;
};

static int64_t now_us(void)
{
    return clock_mono_us(clock_system());
}

void av_remux_init(void)
{
    av_open_init();
}

/* --- which streams --- */

static int64_t variant_bps(const AVStream *s)
{
    const AVDictionaryEntry *e = av_dict_get(s->metadata, "variant_bitrate", NULL, 0);
    uint64_t bps = 0;
    return e && span_u64(span_of(e->value), &bps) ? (int64_t)bps : 0;
}

/* The best variant of a playlist, else the first; sound of the same programme. -1 = none. */
static int choose(const AVFormatContext *input, enum AVMediaType type, const AVProgram *programme)
{
    int best = -1;
    for (unsigned i = 0; i < input->nb_streams; i++) {
        const AVStream *s = input->streams[i];
        bool is_inside = programme == NULL;
        for (unsigned k = 0; programme && k < programme->nb_stream_indexes; k++)
            is_inside = is_inside || programme->stream_index[k] == i;
        if (s->codecpar->codec_type != type || !is_inside || !av_track_can_carry(s) ||
            (s->disposition & AV_DISPOSITION_ATTACHED_PIC))
            continue;
        if (best < 0 || variant_bps(s) > variant_bps(input->streams[best]))
            best = (int)i;
    }
    return best;
}

static void choose_streams(struct av_remux *r)
{
    r->stream_of[VIDEO] = choose(r->input, AVMEDIA_TYPE_VIDEO, NULL);
    if (r->stream_of[VIDEO] < 0)
        return;
    AVProgram *programme = av_find_program_from_stream(r->input, NULL, r->stream_of[VIDEO]);
    r->stream_of[AUDIO] = choose(r->input, AVMEDIA_TYPE_AUDIO, programme);
}

static const AVPacket *first_of(const struct av_remux *r, int stream)
{
    for (int i = 0; i < r->n_waiting; i++) {
        if (r->waiting[i]->stream_index == stream)
            return r->waiting[i];
    }
    return NULL;
}

/* FLV tells of a stream only with its first packet. */
static bool may_tell_later(const struct av_remux *r)
{
    return (r->input->ctx_flags & AVFMTCTX_NOHEADER) &&
           !strstr(r->input->iformat->name, "mpegts") && !strstr(r->input->iformat->name, "hls");
}

static bool is_settled(const struct av_remux *r, int64_t picture_mono_us)
{
    int audio = r->stream_of[AUDIO];
    if (picture_mono_us == 0)
        return false;
    bool is_known = audio < 0
                        ? !may_tell_later(r)
                        : r->input->streams[audio]->codecpar->extradata_size > 0 ||
                              r->input->streams[audio]->codecpar->codec_id != AV_CODEC_ID_AAC ||
                              first_of(r, audio);
    return is_known || now_us() - picture_mono_us >= AUDIO_WAIT_US;
}

static void name_codec(const AVStream *s, char *dst, size_t cap)
{
    unsigned tag = s->codecpar->codec_tag;
    if (s->codecpar->codec_id != AV_CODEC_ID_NONE)
        str_copy(dst, cap, avcodec_get_name(s->codecpar->codec_id));
    else if (tag == 12 || tag == MKTAG('h', 'v', 'c', '1'))
        str_copy(dst, cap, "H.265 in FLV, which the installed libavformat does not read");
    else
        snprintf(dst, cap, "unknown (tag 0x%x)", tag);
}

static int fail_no_video(const struct av_remux *r, struct remux_end *end)
{
    for (unsigned i = 0; i < r->input->nb_streams; i++) {
        const AVStream *s = r->input->streams[i];
        if (s->codecpar->codec_type != AVMEDIA_TYPE_VIDEO)
            continue;
        char name[80];
        name_codec(s, name, sizeof name);
        remux_end_set(end, CAUSE_UNSUPPORTED,
                      "the video is %s; H.264, H.265 and MJPEG are supported", name);
        return -1;
    }
    remux_end_set(end, CAUSE_NO_VIDEO, "the stream has no video");
    return -1;
}

/* --- reading --- */

static int read_packet(struct av_remux *r, AVPacket *pkt, struct remux_end *end)
{
    int rc;
    do
        rc = av_read_frame(r->input, pkt);
    while (rc == AVERROR(EAGAIN) && !r->patience.is_gone && !r->patience.is_late &&
           now_us() < r->patience.due_mono_us);
    if (rc < 0)
        av_failure(rc, &r->patience, "reading", end);
    return rc < 0 ? -1 : 0;
}

static int keep_waiting(struct av_remux *r, AVPacket *pkt, struct remux_end *end)
{
    if (r->n_waiting == MAX_WAITING || r->n_waiting_bytes + (size_t)pkt->size > MAX_WAITING_BYTES) {
        av_packet_free(&pkt);
        return fail_no_video(r, end);
    }
    r->n_waiting_bytes += (size_t)pkt->size;
    r->waiting[r->n_waiting++] = pkt;
    return 0;
}

/* Reads until it is clear what there is. */
static int find_tracks(struct av_remux *r, struct remux_end *end)
{
    int64_t picture_mono_us = 0;
    for (;;) {
        choose_streams(r);
        if (r->stream_of[VIDEO] >= 0 && first_of(r, r->stream_of[VIDEO]) && picture_mono_us == 0)
            picture_mono_us = now_us();
        if (is_settled(r, picture_mono_us))
            return 0;
        if (r->input->nb_streams > 0 && r->stream_of[VIDEO] < 0 && !may_tell_later(r))
            return fail_no_video(r, end);
        AVPacket *pkt = av_packet_alloc();
        if (!pkt || read_packet(r, pkt, end) < 0) {
            av_packet_free(&pkt);
            if (r->n_waiting > 0 && r->stream_of[VIDEO] < 0 && r->patience.is_late)
                return fail_no_video(r, end);
            return -1;
        }
        if (keep_waiting(r, pkt, end) < 0)
            return -1;
    }
}

/* --- describing --- */

static int describe(struct av_remux *r, struct remux_end *end)
{
    AVFormatContext *muxers[KINDS];
    for (int i = 0; i < r->n_tracks; i++)
        muxers[i] = av_track_muxer(r->tracks[i]);
    if (av_sdp_create(muxers, r->n_tracks, r->sdp, sizeof r->sdp) < 0) {
        remux_end_set(end, CAUSE_INTERNAL, "the tracks cannot be described");
        return -1;
    }
    /* Sound that stays out is named, so that the server can say so. */
    for (unsigned i = 0; i < r->input->nb_streams && r->n_tracks < KINDS; i++) {
        const AVCodecParameters *par = r->input->streams[i]->codecpar;
        size_t n = strlen(r->sdp);
        if (par->codec_type == AVMEDIA_TYPE_AUDIO && sizeof r->sdp - n > 200) {
            snprintf(r->sdp + n, sizeof r->sdp - n,
                     "m=audio 0 RTP/AVP 127\r\na=rtpmap:127 %s/%d\r\na=control:streamid=9\r\n",
                     avcodec_get_name(par->codec_id),
                     par->sample_rate > 0 ? par->sample_rate : 8000);
            break;
        }
    }
    return 0;
}

static int make_tracks(struct av_remux *r, struct remux_end *end)
{
    for (int kind = 0; kind < KINDS; kind++) {
        int i = r->stream_of[kind];
        if (i < 0)
            continue;
        AVStream *s = r->input->streams[i];
        struct av_track *t = av_track_create(s, first_of(r, i), (uint8_t)(2 * r->n_tracks));
        if (t) {
            r->tracks[r->n_tracks++] = t;
        } else if (kind == VIDEO) {
            remux_end_set(end, CAUSE_UNSUPPORTED, "the video cannot be sent as RTP");
            return -1;
        } else {
            r->stream_of[kind] = -1;
        }
    }
    for (unsigned i = 0; i < r->input->nb_streams; i++) {
        bool is_used = (int)i == r->stream_of[VIDEO] || (int)i == r->stream_of[AUDIO];
        r->input->streams[i]->discard = is_used ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    return describe(r, end);
}

/* --- open, close --- */

static bool has_jpeg(const AVFormatContext *input)
{
    return strstr(input->iformat->name, "mpjpeg") != NULL;
}

int av_remux_open(const struct av_remux_params *params, struct av_remux **out,
                  struct remux_end *end)
{
    struct av_remux *r = xcalloc(1, sizeof *r);
    r->stream_of[VIDEO] = r->stream_of[AUDIO] = -1;
    r->silence_ms = params->job->silence_ms;
    r->patience = (struct av_patience){.is_over = params->is_over, .ctx = params->ctx};
    av_patience_set(&r->patience, now_us() + params->job->open_ms * US_PER_MS);
    int rc = av_open(params->job->address, &r->patience, &r->input, end);
    if (rc == 0) {
        const char *format = r->input->iformat->name;
        r->is_paced = strstr(format, "hls") || strstr(format, "mov");
        /* The RTP of JPEG needs its size and sampling, which only decoding tells. */
        if (has_jpeg(r->input))
            avformat_find_stream_info(r->input, NULL);
        rc = find_tracks(r, end);
    }
    if (rc == 0)
        rc = make_tracks(r, end);
    if (rc < 0)
        av_remux_close(&r);
    *out = r;
    return rc;
}

void av_remux_close(struct av_remux **rp)
{
    struct av_remux *r = *rp;
    if (!r)
        return;
    for (int i = r->i_waiting; i < r->n_waiting; i++)
        av_packet_free(&r->waiting[i]);
    for (int i = 0; i < KINDS; i++)
        av_track_destroy(&r->tracks[i]);
    avformat_close_input(&r->input);
    FREE(rp);
}

const char *av_remux_sdp(const struct av_remux *r)
{
    return r->sdp;
}

int av_remux_n_tracks(const struct av_remux *r)
{
    return r->n_tracks;
}

/* --- packets --- */

static int64_t due_us(struct av_remux *r, const AVPacket *pkt)
{
    int64_t dts = pkt->dts != AV_NOPTS_VALUE ? pkt->dts : pkt->pts;
    if (!r->is_paced || dts == AV_NOPTS_VALUE)
        return 0;
    const AVStream *s = r->input->streams[pkt->stream_index];
    int64_t at_us = av_rescale_q(dts, s->time_base, AV_TIME_BASE_Q);
    int64_t now = now_us();
    int64_t step_us = at_us - r->last_dts_us;
    int64_t due = r->base_mono_us + at_us - r->base_dts_us;
    if (!r->has_base || step_us > JUMP_US || step_us < -JUMP_US || due < now - LATE_US) {
        r->has_base = true;
        r->base_mono_us = now;
        r->base_dts_us = at_us;
        due = now;
    }
    r->last_dts_us = at_us;
    return due;
}

static AVPacket *next_packet(struct av_remux *r, struct remux_end *end)
{
    if (r->i_waiting < r->n_waiting)
        return r->waiting[r->i_waiting++];
    av_patience_set(&r->patience, now_us() + r->silence_ms * US_PER_MS);
    AVPacket *pkt = av_packet_alloc();
    if (pkt && read_packet(r, pkt, end) < 0)
        av_packet_free(&pkt);
    return pkt;
}

/* One bad picture is left out; when none is good, that is said instead of nothing. */
static int write_packet(struct av_remux *r, int kind, struct av_track *track, AVPacket *pkt,
                        struct buf *out, struct remux_end *end)
{
    size_t n_before = out->len;
    bool is_bad = av_track_write(track, pkt, now_us(), out) < 0 || out->len == n_before;
    if (kind != VIDEO)
        return 0;
    r->n_bad = is_bad ? r->n_bad + 1 : 0;
    if (r->n_bad < MAX_BAD)
        return 0;
    av_cannot_send(end);
    return -1;
}

int av_remux_next(struct av_remux *r, struct buf *out, int64_t *out_due_us, struct remux_end *end)
{
    AVPacket *pkt = next_packet(r, end);
    int rc = 0;
    *out_due_us = 0;
    if (!pkt)
        return -1;
    for (int kind = 0, i = 0; kind < KINDS && i < r->n_tracks; kind++) {
        if (r->stream_of[kind] < 0)
            continue;
        if (pkt->stream_index == r->stream_of[kind]) {
            if (has_jpeg(r->input)) /* it has no times; libavformat counts 25 pictures a second */
                pkt->pts = pkt->dts = AV_NOPTS_VALUE;
            *out_due_us = due_us(r, pkt);
            rc = write_packet(r, kind, r->tracks[i], pkt, out, end);
            break;
        }
        i++;
    }
    av_packet_free(&pkt);
    return rc;
}
