/* What a child process gives up before it touches the first foreign byte.
 * Thread: main, once, before there are others. */
#ifndef BASE_CAGE_H
#define BASE_CAGE_H

#include <stdbool.h>
#include <stdint.h>

struct cage {
    uint64_t memory_bytes; /* of addresses */
    int n_files;           /* descriptors that may be open at a time */
    /* May read what a program needs to reach hosts by name and by TLS (resolver, certificates,
     * libraries) and nothing else; false = n_files alone forbids. */
    bool is_on_network;
};

/* Bounds memory, forbids writing files, opening others than stated, running programs and gaining
 * privileges, leaves no core, and ties the process to the life of the thread that started it. What
 * is open stays usable. Where Landlock is missing (Linux before 5.13, old containers) this leaves
 * reading files to the rights of the user. A system call filter (seccomp) belongs at its end; it is
 * not there yet. Returns 0 or -Exxx: then do not go on. */
int cage_enter(const struct cage *cage);

#endif
