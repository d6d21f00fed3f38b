/* Replays a journal up to a cut: the moment the power goes. What a completed sync covers is there;
 * what came after it may be there or not, in part, as real disks and file systems leave it: writes
 * torn at any byte or sector, a size without its data (zeros), data without its size, names that
 * came or went later than others.
 *
 * Thread: belongs to one test. */
#ifndef TESTS_FAULT_REPLAY_H
#define TESTS_FAULT_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal.h"

struct replay;

/* The file must be a whole journal; aborts on anything else. */
struct replay *replay_open(const char *journal);
void replay_close(struct replay **r);

/* A cut stands in front of record `cut`; 0 … replay_records. */
size_t replay_records(const struct replay *r);
const struct journal_record *replay_record(const struct replay *r, size_t i);

/* Makes the state after the cut in the directory `dir`, which exists and is empty. Every other seed
 * gives another outcome of what was under way. */
void replay_build(const struct replay *r, size_t cut, uint64_t seed, const char *dir);

/* The newest value noted with this text before the cut; 0 when none was. */
uint64_t replay_noted(const struct replay *r, size_t cut, const char *text);

/* Called for every write to a file whose name ends with `suffix` that must have outlived the cut:
 * a sync covers it, its file, and the directories above. What is removed or cut off before the end
 * of the journal is left out. */
typedef void replay_write_fn(void *ctx, const uint8_t *data, size_t n);
void replay_durable(const struct replay *r, size_t cut, const char *suffix, replay_write_fn *fn,
                    void *ctx);

#endif
