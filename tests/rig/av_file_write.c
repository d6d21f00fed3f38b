#include <libavformat/avformat.h>

#include "av_file.h"
#include "base/str.h"

struct file_writer {
    AVFormatContext *out;
    AVRational clock;
    char *path, *part;
};

static int fail(struct err *err, int rc, const char *path)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(rc, text, sizeof text);
    return err_text(err, rc, "write %s: %s", path, text);
}

static int add_stream(struct file_writer *w, const struct format *format)
{
    AVStream *stream = avformat_new_stream(w->out, NULL);
    AVCodecParameters *par = stream->codecpar;
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = format->codec == CODEC_JPEG   ? AV_CODEC_ID_MJPEG
                    : format->codec == CODEC_H265 ? AV_CODEC_ID_HEVC
                                                  : AV_CODEC_ID_H264;
    par->width = format->width;
    par->height = format->height;
    par->extradata = av_mallocz(format->config_size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (format->config_size > 0)
        memcpy(par->extradata, format->config, format->config_size);
    par->extradata_size = (int)format->config_size;
    w->clock = (AVRational){1, (int)format->timescale};
    stream->time_base = w->clock;
    int rc = avio_open(&w->out->pb, w->part, AVIO_FLAG_WRITE);
    return rc < 0 ? rc : avformat_write_header(w->out, NULL);
}

int file_writer_open(const char *path, const struct format *format, struct file_writer **out,
                     struct err *err)
{
    struct file_writer *w = xcalloc(1, sizeof *w);
    w->path = xstrdup(path);
    w->part = xasprintf("%s.part", path);
    int rc = avformat_alloc_output_context2(&w->out, NULL, "mp4", NULL);
    if (rc >= 0)
        rc = add_stream(w, format);
    if (rc < 0) {
        fail(err, rc, path);
        file_writer_close(&w, false, NULL);
        return rc;
    }
    *out = w;
    return 0;
}

int file_writer_put(struct file_writer *w, const struct packet *pkt)
{
    AVPacket *av = av_packet_alloc();
    int rc = av_new_packet(av, (int)pkt->size);
    if (rc >= 0) {
        memcpy(av->data, pkt->data, pkt->size);
        av->dts = pkt->dts;
        av->pts = pkt->pts;
        av->flags = pkt->is_key ? AV_PKT_FLAG_KEY : 0;
        av_packet_rescale_ts(av, w->clock, w->out->streams[0]->time_base);
        rc = av_write_frame(w->out, av);
    }
    av_packet_free(&av);
    return rc;
}

int file_writer_close(struct file_writer **wp, bool is_good, struct err *err)
{
    struct file_writer *w = *wp;
    if (!w)
        return 0;
    int rc = is_good ? av_write_trailer(w->out) : 0;
    if (w->out && w->out->pb) {
        int close_rc = avio_closep(&w->out->pb);
        rc = rc < 0 ? rc : close_rc;
    }
    if (rc < 0)
        fail(err, rc, w->path);
    if (!is_good || rc < 0)
        unlink(w->part);
    else if (rename(w->part, w->path) != 0)
        rc = err_set(err, -errno, "rename %s", w->part);
    avformat_free_context(w->out);
    free(w->path);
    free(w->part);
    FREE(wp);
    return rc < 0 ? rc : 0;
}
