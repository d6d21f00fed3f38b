/* fault-replay JOURNAL: prints what the journal holds, a line per record.
 * fault-replay JOURNAL CUT SEED DIR: makes the state after the cut in DIR, which is empty; CUT is
 * the index of a record. */
#include "replay.h"

#include <errno.h>
#include <inttypes.h>

static const char *const names[] = {
    [JOURNAL_CREATE] = "create", [JOURNAL_MKDIR] = "mkdir",   [JOURNAL_UNLINK] = "unlink",
    [JOURNAL_RMDIR] = "rmdir",   [JOURNAL_RENAME] = "rename", [JOURNAL_LINK] = "link",
    [JOURNAL_WRITE] = "write",   [JOURNAL_SIZE] = "size",     [JOURNAL_ALLOC] = "alloc",
    [JOURNAL_SYNC] = "sync",     [JOURNAL_SYNCED] = "synced", [JOURNAL_NOTE] = "note",
};

static void print(const struct replay *r)
{
    for (size_t i = 0; i < replay_records(r); i++) {
        const struct journal_record *head = replay_record(r, i);
        const char *a = (const char *)(head + 1);
        printf("%zu %" PRId64 " %" PRId64 " %s file=%" PRIu64 " at=%" PRIu64 " n=%" PRIu64
               " %.*s %.*s\n",
               i, head->mono_us, head->wall_us, names[head->type], head->file, head->at, head->n,
               head->n_a, a, head->n_b, a + head->n_a);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 5) {
        fprintf(stderr, "usage: fault-replay JOURNAL [CUT SEED DIR]\n");
        return 2;
    }
    struct replay *r = replay_open(argv[1]);
    if (argc == 2)
        print(r);
    else
        replay_build(r, (size_t)strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), argv[4]);
    replay_close(&r);
    return 0;
}
