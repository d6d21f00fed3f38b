/* H.265 parameter sets and hvcC. The record, when it can be read, is written and read the same. */
#include <assert.h>

#include "base/mem.h"
#include "media/h265.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h265_sps sps;
    struct nal_span sets[NAL_SETS_MAX], back[NAL_SETS_MAX], nal;
    struct buf out = {0};
    struct format *f = NULL;
    uint32_t id;
    if (h265_read_sps(data, size, &sps) >= 0)
        assert(sps.width > 0 && sps.height > 0 && sps.reorder_frames <= 16 && sps.fps >= 0);
    h265_read_set_id(data, size, &id);
    for (size_t pos = 0; nal_next(data, size, &pos, &nal);)
        assert(nal.n > 0 && nal.p >= data && nal.p + nal.n <= data + size);
    int n = h265_read_config(data, size, sets, ARRAY_LEN(sets));
    if (n > 0 && h265_write_config(sets, (size_t)n, &out) >= 0)
        assert(h265_read_config(out.data, out.len, back, ARRAY_LEN(back)) <= n);
    if (n > 0 && format_create_sets(CODEC_H265, sets, (size_t)n, &f) >= 0)
        assert(format_eq(f, f) && f->codec_string[0]);
    format_unref(&f);
    if (format_create_config(CODEC_H265, data, size, 1, 1, 0, 0, &f) >= 0)
        format_unref(&f);
    buf_fini(&out);
    return 0;
}
