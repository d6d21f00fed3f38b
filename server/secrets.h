/* Keys and secrets: the key that encrypts camera passwords at rest (libsodium secretbox), the one
 * of the recordings' hash chain, random tokens and their hashes, ids. Thread: any; opening blocks.
 */
#ifndef SERVER_SECRETS_H
#define SERVER_SECRETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct secrets;

#define SECRET_TEXT_BYTES 65 /* 256 random bits in hexadecimal, with NUL */
#define SECRET_HASH_BYTES 32
#define SECRET_KEY_BYTES  32

/* Reads data_dir/keys/camera.key and recordings.key (mode 0600), or makes what is not there. */
int secrets_open(const char *data_dir, struct secrets **out, struct err *err);
void secrets_close(struct secrets **s);

/* SECRET_KEY_BYTES of the hash chain of recordings; lives as long as the secrets. */
const uint8_t *secrets_recordings_key(const struct secrets *s);

/* Encrypts; the caller frees. */
uint8_t *secrets_seal(const struct secrets *s, const char *plain, size_t *out_n);
/* ERR_AUTH: sealed by another key, or damaged. ERR_TOO_BIG. */
int secrets_unseal(const struct secrets *s, const uint8_t *sealed, size_t n, char *dst, size_t cap);

void secret_make(char dst[SECRET_TEXT_BYTES]);
void secret_hash(const char *text, uint8_t out[SECRET_HASH_BYTES]);
/* "prefix-0123456789ab" */
void secret_make_id(const char *prefix, char *dst, size_t cap);

#endif
