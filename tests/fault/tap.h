/* The tap: stands between a program and libc where files are changed and read. It writes a journal
 * of the changes below one directory, ends the process at its n-th change, and makes operations
 * fail or wait as a control file says. Linked into a test it works in that process; as a shared
 * library (LD_PRELOAD) in any program, told by the environment:
 *
 *   ROOKERY_TAP_ROOT      the directory (absolute, without links)
 *   ROOKERY_TAP_JOURNAL   append the journal to this file; syncs are then noted and not made
 *   ROOKERY_TAP_CONTROL   faults: this file holds a struct tap_control and may change at any time
 *
 * Thread: any. What is mapped is not seen; SQLite's shared memory file (-shm) is left out, as it is
 * worth nothing after a power cut. */
#ifndef TESTS_FAULT_TAP_H
#define TESTS_FAULT_TAP_H

#include <stdbool.h>
#include <stdint.h>

enum tap_op {
    TAP_CREATE = 1 << 0, /* a file or a directory */
    TAP_WRITE = 1 << 1,  /* bytes, sizes, space set aside */
    TAP_SYNC = 1 << 2,
    TAP_REMOVE = 1 << 3, /* or rename */
    TAP_SPACE = 1 << 4,  /* asking for free space: an error of ENOSPC answers that there is none */
    TAP_READ = 1 << 5,   /* bytes */
};

enum { TAP_RULES = 8 };

/* tests/fault/tap.py writes the same layout. */
struct tap_control {
    int64_t wall_shift_us; /* added to the wall clock */
    struct tap_rule {
        uint32_t ops;      /* enum tap_op; 0 = the rule is off */
        int32_t error;     /* errno of the answer; 0 = done as asked */
        uint32_t delay_ms; /* before it */
        uint32_t n_hits;   /* counted by the tap */
        char path[240];    /* absolute; everything that begins so */
    } rules[TAP_RULES];
};

/* Only in a test that is linked with the tap. journal NULL: only counting, and no sync is made. */
void tap_start(const char *root, const char *journal);
void tap_stop(void);
void tap_note(const char *text, uint64_t value);

/* The process ends (exit code 42) at the n-th change from now; a write is left half done. Of the
 * catalogue only its syncs count: what lies between is SQLite's to survive, and the replay's to
 * prove. 0 = never. */
void tap_die_at(int n);
int tap_steps(void); /* changes counted since tap_start */

#endif
