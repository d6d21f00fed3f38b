/* Spreadsheets of any bytes: decoding and cutting never read or write outside. */
#include <assert.h>
#include <string.h>

#include "server/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text;
    struct err err;
    buf_init(&text, 1u << 20);
    if (csv_decode(data, size, &text, &err) == 0 && !text.is_failed) {
        struct csv csv;
        struct csv_record r;
        unsigned last_line = 0;
        csv_init(&csv, (const char *)text.data, text.len);
        while (csv_next(&csv, &r, &err) == 1) {
            size_t n = 0;
            for (size_t i = 0; i < r.n_fields; i++)
                n += strlen(r.fields[i]) + 1;
            assert(n <= text.len + 1 && r.line > last_line);
            last_line = r.line;
        }
        csv_fini(&csv);
    }
    buf_fini(&text);
    return 0;
}
