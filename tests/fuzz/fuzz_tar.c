/* Blocks of any bytes: a header that is read can be written, and reads the same again. */
#include <assert.h>
#include <string.h>

#include "base/str.h"
#include "server/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tar_entry e, again;
    uint8_t block[TAR_BLOCK] = {0};
    memcpy(block, data, size < sizeof block ? size : sizeof block);
    if (tar_read_header(block, &e) != 1)
        return 0;
    assert(strlen(e.name) < sizeof e.name && e.name[0] != '\0');
    tar_write_header(&e, block);
    assert(tar_read_header(block, &again) == 1);
    assert(strcmp(e.name, again.name) == 0 && e.bytes == again.bytes && e.mode == again.mode &&
           e.mtime_s == again.mtime_s);
    return 0;
}
