/* What rookery-worker gives up before it touches the first foreign byte.
 * Thread: main, once. */
#ifndef ANALYSIS_CAGE_H
#define ANALYSIS_CAGE_H

/* Bounds memory, forbids opening files, writing to them and gaining privileges, and ties the
 * process to its parent's life. Reading and writing descriptor 3 stays possible. A system call
 * filter (seccomp) belongs at its end; it is not there yet. Returns 0 or -Exxx: then do not go on.
 */
int cage_enter(void);

#endif
