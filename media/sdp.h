/* Session descriptions of cameras (RFC 4566 / RFC 8866, RFC 2326 appendix C), read tolerantly: what
 * is malformed is skipped, only m= and a= lines are looked at (quirks D1-D11).
 * Thread: pure functions; the result belongs to the caller. Bounds: SDP_MAX_MEDIAS medias. */
#ifndef MEDIA_SDP_H
#define MEDIA_SDP_H

#include "base/err.h"
#include "base/str.h"
#include "media/format.h"

#define SDP_MAX_MEDIAS  16
#define SDP_MAX_CONTROL 512

struct sdp_media {
    bool is_video, is_audio;
    bool is_sendonly;
    int payload_type;
    enum codec codec; /* CODEC_NONE = not one we can carry; name tells which */
    char name[32]; /* encoding name as given, e.g. "H264", "JPEG"; "L16/96000/6" where its rate or
                      channels are why it cannot be carried */
    uint32_t clock_rate;
    int channels;
    char control[SDP_MAX_CONTROL]; /* as written; empty = none */
    /* H.264/H.265: usable parameter sets out of the description; JPEG: its size; only a hint */
    struct format *format; /* may be NULL: taken in-band later. Audio: complete or NULL */
    int aac_size_length, aac_index_length, aac_index_delta_length; /* RFC 3640; 0 = not given */
    int max_don_diff;                                              /* H.265 sprop-max-don-diff */
    int width, height; /* a=framesize or a=x-dimensions, which JPEG may need; 0 = not given */
};

struct sdp {
    struct sdp_media medias[SDP_MAX_MEDIAS];
    size_t n_medias;
    char control[SDP_MAX_CONTROL]; /* session level; empty or "*" = none */
    char tool[128];                /* a=tool: which server this is */
};

/* ERR_PARSE only when there is no media line at all. sdp_fini in every case. */
int sdp_parse(struct span text, struct sdp *out, struct err *err);
void sdp_fini(struct sdp *sdp);

/* Writes the description of a stream for serving it (simulator, later the RTSP server). */
struct buf;
void sdp_print(const struct format *video, const struct format *audio, const char *session_name,
               struct buf *out);

#endif
