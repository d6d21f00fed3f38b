/* The rig with two volumes on disks that can be told to stall and to fail, each for itself. */
#ifndef TESTS_STORAGE_DISKS_H
#define TESTS_STORAGE_DISKS_H

#include "rig.h"

struct disk {
    const char *path;
    atomic_bool is_stuck, is_sync_stuck, is_full;
    atomic_int write_error, sync_error;
    atomic_int n_waiting; /* operations that do not come back */
    atomic_int n_looks;   /* at its space: the volume's thread is alive */
};

int disks_setup(void **state);
struct disk *disk_at(const struct volume *v);

/* A moment of real time, for other threads. */
void turn(struct rig *rig);
/* Lets virtual time pass in steps that no operation of a disk that works spans: its thread is heard
 * of after each. */
#define DISKS_STEP_US INT64_C(250000)
void advance(struct rig *rig, int64_t us);
/* Until an operation does not come back. */
void wait_stuck(struct rig *rig, struct disk *d);

#endif
