/* Shared by digest.c and digest_parse.c only. */
#ifndef NET_DIGEST_PRIV_H
#define NET_DIGEST_PRIV_H

#include "net/digest.h"

const char *digest__algorithm(enum auth_scheme scheme);    /* "SHA-256" */
enum auth_scheme digest__scheme_of(struct span algorithm); /* "" is MD5; AUTH_NONE = unknown */

#endif
