/* One server per data directory: a lock on data_dir/lock, which also tells who holds it.
 * Thread: any; the lock belongs to the descriptor and goes with it. */
#ifndef STORAGE_DATA_LOCK_H
#define STORAGE_DATA_LOCK_H

#include <stdbool.h>

#include "base/err.h"

/* The descriptor that holds it. ERR_BUSY: another server does, named in err. */
int data_lock_take(const char *data_dir, struct err *err);

/* Whether somebody holds it now. */
bool data_lock_is_taken(const char *data_dir);

#endif
