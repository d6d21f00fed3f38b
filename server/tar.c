#include "server/tar.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

/* Places of the fields: offset and length. */
enum {
    NAME_AT = 0,
    NAME_N = 100,
    MODE_AT = 100,
    MODE_N = 8,
    UID_AT = 108,
    GID_AT = 116,
    SIZE_AT = 124,
    SIZE_N = 12,
    MTIME_AT = 136,
    MTIME_N = 12,
    SUM_AT = 148,
    SUM_N = 8,
    TYPE_AT = 156,
    MAGIC_AT = 257,
};

static const char magic[8] = {'u', 's', 't', 'a', 'r', '\0', '0', '0'};

static void put_number(uint8_t *dst, int n, uint64_t v)
{
    bool is_octal = v >> (3 * (n - 1)) == 0;
    for (int i = n - 1; i >= 0; i--) {
        if (!is_octal)
            dst[i] = (uint8_t)v;
        else
            dst[i] = i == n - 1 ? 0 : (uint8_t)('0' + (v & 7));
        v >>= !is_octal ? 8 : i == n - 1 ? 0 : 3;
    }
    if (!is_octal)
        dst[0] = 0x80;
}

static int get_number(const uint8_t *p, int n, uint64_t *out)
{
    *out = 0;
    if (p[0] == 0x80) {
        for (int i = 1; i < n; i++) {
            if (*out >> 55 != 0)
                return ERR_PARSE;
            *out = *out << 8 | p[i];
        }
        return 0;
    }
    int i = 0;
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        *out = *out << 3 | (uint64_t)(p[i] - '0');
    return i < n && p[i] != '\0' && p[i] != ' ' ? ERR_PARSE : 0;
}

/* Of the header, its own field taken as blanks. */
static unsigned sum_of(const uint8_t block[TAR_BLOCK])
{
    unsigned sum = 0;
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += i >= SUM_AT && i < SUM_AT + SUM_N ? ' ' : block[i];
    return sum;
}

void tar_write_header(const struct tar_entry *e, uint8_t block[TAR_BLOCK])
{
    size_t n = strlen(e->name);
    assert(n > 0 && n <= NAME_N);
    memset(block, 0, TAR_BLOCK);
    memcpy(block + NAME_AT, e->name, n);
    put_number(block + MODE_AT, MODE_N, e->mode);
    put_number(block + UID_AT, MODE_N, 0);
    put_number(block + GID_AT, MODE_N, 0);
    put_number(block + SIZE_AT, SIZE_N, e->bytes);
    put_number(block + MTIME_AT, MTIME_N, (uint64_t)e->mtime_s);
    block[TYPE_AT] = '0';
    memcpy(block + MAGIC_AT, magic, sizeof magic);
    put_number(block + SUM_AT, SUM_N - 1, sum_of(block));
    block[SUM_AT + SUM_N - 1] = ' ';
}

int tar_read_header(const uint8_t block[TAR_BLOCK], struct tar_entry *out)
{
    static const uint8_t zeros[TAR_BLOCK];
    uint64_t sum, mode, mtime;
    *out = (struct tar_entry){0};
    if (memcmp(block, zeros, TAR_BLOCK) == 0)
        return 0;
    if (memcmp(block + MAGIC_AT, magic, 5) != 0 || get_number(block + SUM_AT, SUM_N, &sum) < 0 ||
        sum != sum_of(block) || (block[TYPE_AT] != '0' && block[TYPE_AT] != '\0'))
        return ERR_PARSE;
    memcpy(out->name, block + NAME_AT, NAME_N);
    if (out->name[0] == '\0' || get_number(block + SIZE_AT, SIZE_N, &out->bytes) < 0 ||
        get_number(block + MODE_AT, MODE_N, &mode) < 0 ||
        get_number(block + MTIME_AT, MTIME_N, &mtime) < 0 || out->bytes >> 62 != 0)
        return ERR_PARSE;
    out->mode = (unsigned)(mode & 07777);
    out->mtime_s = (int64_t)mtime;
    return 1;
}
