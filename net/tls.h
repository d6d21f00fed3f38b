/* TLS for servers (OpenSSL): a certificate and its key.
 * Thread: create and destroy anywhere; used by any loop in between. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"

struct tls;

/* PEM files; TLS 1.2 and later. */
int tls_create(const char *cert_file, const char *key_file, struct tls **out, struct err *err);
void tls_destroy(struct tls **tls);

/* Makes key and self-signed certificate for the names ("nvr.local", "10.0.0.1"; comma list), valid
 * for ten years, unless both files exist. The key gets mode 0600. Blocks. */
int tls_make_self_signed(const char *cert_file, const char *key_file, const char *names,
                         struct err *err);

#endif
