#include "storage/chain.h"

#include <endian.h>
#include <string.h>

#include <highwayhash/c_bindings.h>
#include <sodium.h>

#include "base/buf.h"

/* A key for one use, derived from the secret. */
static void derive(uint8_t *out, size_t n, const char *use, const uint8_t *secret)
{
    crypto_generichash(out, n, (const uint8_t *)use, strlen(use), secret, CHAIN_KEY_BYTES);
}

void chain_key_init(struct chain_key *key, const uint8_t secret[CHAIN_KEY_BYTES])
{
    uint8_t pieces[32], id[crypto_generichash_BYTES_MIN];
    derive(pieces, sizeof pieces, "rookery chain: pieces", secret);
    derive(key->values, sizeof key->values, "rookery chain: values", secret);
    derive(id, sizeof id, "rookery chain: id", secret);
    memcpy(key->id, id, sizeof key->id);
    for (size_t i = 0; i < 4; i++)
        key->pieces[i] = get_be64(pieces + 8 * i);
}

void chain_extend(const struct chain_key *key, const struct chain_value *before,
                  const struct iovec *pieces, size_t n, struct chain_value *out)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, key->values, sizeof key->values, CHAIN_BYTES);
    crypto_generichash_update(&state, before->bytes, CHAIN_BYTES);
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = HighwayHash64(key->pieces, pieces[i].iov_base, pieces[i].iov_len);
        const uint64_t said[2] = {htobe64(pieces[i].iov_len), htobe64(hash)};
        crypto_generichash_update(&state, (const uint8_t *)said, sizeof said);
    }
    crypto_generichash_final(&state, out->bytes, CHAIN_BYTES);
}

bool chain_is_equal(const struct chain_value *a, const struct chain_value *b)
{
    return memcmp(a->bytes, b->bytes, CHAIN_BYTES) == 0;
}
