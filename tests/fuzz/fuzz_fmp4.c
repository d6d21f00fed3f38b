/* A segment file as a stranger might leave it: init, fragments one after the other, seek table. */
#include <assert.h>

#include "media/fmp4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fmp4_init init;
    struct fmp4_read_fragment f = {0};
    struct fmp4_seek_entry *seeks = NULL;
    size_t at = 0, need = 0, n_seeks = 0;
    if (fmp4_read_init(data, size, &init, &at, NULL) < 0)
        at = 0;
    assert(at <= size);
    while (at < size && fmp4_read_fragment(data + at, size - at, &f, &need, NULL) == 1) {
        assert(f.size > 0);
        for (size_t i = 0; i < f.n_samples; i++)
            assert(f.samples[i].offset <= f.size && f.samples[i].size <= f.size);
        if (f.size > size - at)
            break;
        at += (size_t)f.size;
    }
    if (fmp4_read_mfra(data, size, &seeks, &n_seeks, &at, &need) == 1)
        assert(at <= size);
    free(seeks);
    fmp4_read_fragment_fini(&f);
    fmp4_init_fini(&init);
    return 0;
}
