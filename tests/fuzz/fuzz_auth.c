/* Any challenge can be answered, and the answer read and verified again. */
#include <stdint.h>

#include "net/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct auth_answer answer;
    struct auth_offers offers = {.n = 0};
    struct span input = {(const char *)data, size};
    auth_answer_parse(input, &answer);
    auth_offers_add(&offers, input);
    for (size_t i = 0; i < offers.n; i++) {
        const struct auth_challenge *c = &offers.list[i];
        char text[AUTH_HEADER_BYTES];
        char ha1[AUTH_HASH_BYTES];
        struct auth a;
        auth_start(&a, c);
        if (auth_sign(&a, "PLAY", "rtsp://h/x", "u\"s", "p", input, text, sizeof text) < 0)
            continue;
        bool is_read = auth_answer_parse(span_of(text), &answer) == 0;
        auth_ha1(c->scheme, "u\"s", c->realm, "p", ha1);
        if (!is_read ||
            (c->scheme != AUTH_BASIC && !auth_answer_verify(&answer, c, "PLAY", ha1, input)))
            __builtin_trap();
    }
    return 0;
}
