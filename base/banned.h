/* Included first everywhere (by compiler flag): makes unsafe or untestable libc calls uncompilable.
 * A file with a reason to use one defines ROOKERY_ALLOW_<GROUP> in its CMake source properties. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef __cplusplus
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol gets tmpnam     \
    mktemp
#pragma GCC poison gmtime localtime ctime asctime
#ifndef __clang__ /* which wants the attribute on the system's own declaration */
/* Not poisoned: OpenSSL's headers name parameters so. */
extern int rand(void) __attribute__((error("use RAND_bytes")));
extern void srand(unsigned) __attribute__((error("use RAND_bytes")));
#endif
#ifndef ROOKERY_ALLOW_TIME
#pragma GCC poison sleep usleep
#endif
#endif

#endif
