/* The journal: everything a process asked of its files below one directory, in order, as the tap
 * writes it and the replay reads it. Records lie one behind the other: this head, path a, path b
 * and the data of a write, filled up with zeros to a multiple of 8 bytes.
 *
 * A record of a change is appended after the change was made and before its caller knows; that of a
 * sync before it begins and after it ended. So a change whose record stands in front of the
 * beginning of a sync is covered by it, and what a program believes to be covered is. */
#ifndef TESTS_FAULT_JOURNAL_H
#define TESTS_FAULT_JOURNAL_H

#include <stdint.h>

#define JOURNAL_MAGIC 0x4c4e524a /* "JRNL" */

enum journal_type {
    JOURNAL_CREATE = 1, /* file a, with inode `file` */
    JOURNAL_MKDIR,      /* a */
    JOURNAL_UNLINK,     /* a */
    JOURNAL_RMDIR,      /* a */
    JOURNAL_RENAME,     /* a to b */
    JOURNAL_LINK,       /* b is a second name of a */
    JOURNAL_WRITE,      /* n bytes of `file` at `at`; the data follows */
    JOURNAL_SIZE,       /* `file` has `at` bytes now */
    JOURNAL_ALLOC,      /* `file` has at least `at` bytes now, zeros if they are new */
    JOURNAL_SYNC,       /* number `at` begins; n: enum journal_scope of `file` or a */
    JOURNAL_SYNCED,     /* number `at` has ended well */
    JOURNAL_NOTE,       /* the test says a, with the value `at` */
};

enum journal_scope {
    JOURNAL_OF_FILE,      /* the bytes of `file` */
    JOURNAL_OF_DIRECTORY, /* the names in a */
    JOURNAL_OF_TREE,      /* everything below a: a is taken for a disk of its own */
};

struct journal_record {
    uint32_t magic;
    uint16_t type; /* enum journal_type */
    uint16_t n_a, n_b;
    uint16_t reserved[3];
    uint64_t file;
    uint64_t at;
    uint64_t n;
    int64_t mono_us, wall_us;
};

#endif
