/* How a segment ends when nothing is written to it any more: the end of its file, the sync that
 * makes it durable, a second look when a sync failed, and its row. The states SYNC and INDEX of
 * writer.h.
 * Thread: the volume's loop. */
#ifndef STORAGE_WRITER_END_H
#define STORAGE_WRITER_END_H

#include "storage/writer.h"

/* In WRITE: writes the end, or removes a file without a picture, and waits for the next sync. */
void writer__end(struct writer *w);

/* Cuts off what is behind the last whole fragment. */
void writer__cut_back(struct writer *w);

/* Pictures are lost, which the recorder's status tells. */
void writer__count_lost(struct writer *w);

/* --- what the volume tells all its writers --- */

/* Its newest sync begins, and that of this epoch has ended. */
void writer__sync_begins(struct volume *v);
void writer__synced(struct volume *v, uint64_t epoch, int rc);

/* Every second: rows that the catalogue did not take are offered again. */
void writer__retry(struct volume *v);

/* The disk is let go: its files are closed, and read again when it is back. */
void writer__disk_gone(struct volume *v);

/* What is open belongs to a disk that was pulled and put back since: nothing more is written to it,
 * and what is there now is read again. */
void writer__disk_replaced(struct volume *v);

#endif
