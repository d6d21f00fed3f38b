/* Writing encoded packets to an MP4 file by libavformat, so that a scene is encoded only once.
 * Thread: belongs to one owner. Blocks. Reading is reel_load_file (reel.h). */
#ifndef RIG_AV_FILE_H
#define RIG_AV_FILE_H

#include "reel.h"

struct file_writer;

/* Writes to "<path>.part" until file_writer_close, which renames. */
int file_writer_open(const char *path, const struct format *format, struct file_writer **out,
                     struct err *err);
int file_writer_put(struct file_writer *w, const struct packet *pkt);

/* With is_good false the unfinished file is removed. */
int file_writer_close(struct file_writer **w, bool is_good, struct err *err);

#endif
