/* Session descriptions: formats that were read are printed and read the same again. */
#include <assert.h>

#include "base/buf.h"
#include "media/sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sdp sdp, back;
    struct format *video = NULL, *audio = NULL;
    struct buf text = {0};
    sdp_parse((struct span){(const char *)data, size}, &sdp, NULL);
    for (size_t i = 0; i < sdp.n_medias; i++) {
        struct format *f = sdp.medias[i].format;
        if (f && codec_is_video(f->codec))
            video = f;
        else if (f && f->config_size <= 64)
            audio = f;
    }
    if (video || audio) {
        sdp_print(video, audio, "fuzz", &text);
        assert(sdp_parse((struct span){(char *)text.data, text.len}, &back, NULL) >= 0);
        assert(back.n_medias == (video ? 1u : 0u) + (audio ? 1u : 0u));
        assert(!video || back.medias[0].format);
        assert(!audio || back.medias[back.n_medias - 1].format);
        sdp_fini(&back);
    }
    buf_fini(&text);
    sdp_fini(&sdp);
    return 0;
}
