#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/digest.h"

/* What each header offers: "scheme realm nonce qop stale opaque". */
static const struct {
    const char *header;
    const char *want;
} offers[] = {
    {"Digest realm=\"IP Camera(GH455)\", nonce=\"n1\", algorithm=\"SHA-256\", stale=\"FALSE\"",
     "SHA256|IP Camera(GH455)|n1|0|0|-"},
    {"Digest realm=\"a,b\",nonce=\"n\", stale=true,opaque=\"\"", "MD5|a,b|n|0|1|"},
    {"Basic realm=testrealm", "Basic|testrealm||0|0|-"},
    {"Basic realm=\"b\", Digest realm=\"d\", nonce=\"n\", qop=\"auth,auth-int\"",
     "Basic|b||0|0|- MD5|d|n|1|0|-"},
    {"Digest realm=\"d\", nonce=\"n\", qop=auth-int, algorithm=MD5-sess, Basic realm=\"b\"",
     "MD5SESS|d|n|2|0|- Basic|b||0|0|-"},
    {"digest  REALM = \"x\\\"y\" ;  Nonce=\"n\" ,, opaque=\"o\"", "MD5|x\\\"y|n|0|0|o"},
    {"Negotiate, Basic realm=\"b\"", "Basic|b||0|0|-"},
    {"Digest realm=\"no nonce\"", ""},
    {"Digest realm=\"r\", nonce=\"n\", algorithm=ROT13", ""},
    {"Digest realm=\"r\", nonce=n\"!\"x", ""},
    {"Digest realm=\"r\", nonce=\"x\\", ""},
    {"Digest realm=\"r\", nonce=\"unfinished", "MD5|r|unfinished|0|0|-"},
    {"Digest realm=\"r\", nonce=\"n\", algorithm=sha-512-256", "SHA512256|r|n|0|0|-"},
    {"Digest", ""},
    {"\"\"\"", ""},
    {"", ""},
};

static const char *short_name(enum auth_scheme s)
{
    static const char *const names[] = {"none",   "Basic",      "MD5",       "MD5SESS",
                                        "SHA256", "SHA256SESS", "SHA512256", "SHA512256SESS"};
    return names[s];
}

static void A4_reads_challenges(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
        struct auth_offers o = {.n = 0};
        char got[512] = "";
        size_t n = 0;
        auth_offers_add(&o, span_of(offers[i].header));
        for (size_t k = 0; k < o.n; k++) {
            const struct auth_challenge *c = &o.list[k];
            n += (size_t)snprintf(got + n, sizeof got - n, "%s%s|%s|%s|%d|%d|%s", k ? " " : "",
                                  short_name(c->scheme), c->realm, c->nonce, (int)c->qop,
                                  c->is_stale, c->has_opaque ? c->opaque : "-");
        }
        if (strcmp(got, offers[i].want) != 0)
            fail_msg("%s: got '%s', want '%s'", offers[i].header, got, offers[i].want);
    }
}

static void prefers_the_strongest_not_tried(void **state)
{
    (void)state;
    struct auth_offers o = {.n = 0};
    auth_offers_add(&o, SPAN("Basic realm=\"b\""));
    auth_offers_add(&o, SPAN("Digest realm=\"m\", nonce=\"1\""));
    auth_offers_add(&o, SPAN("Digest realm=\"s\", nonce=\"1\", algorithm=SHA-256"));
    assert_string_equal(auth_choose(&o, 0)->realm, "s");
    assert_string_equal(auth_choose(&o, 1u << AUTH_SHA256)->realm, "m");
    assert_string_equal(auth_choose(&o, 1u << AUTH_SHA256 | 1u << AUTH_MD5)->realm, "b");
    assert_null(auth_choose(&o, ~0u));
    for (int i = 0; i < 20; i++)
        auth_offers_add(&o, SPAN("Basic realm=\"b\""));
    assert_int_equal(o.n, AUTH_MAX_OFFERS);
}

static void start(struct auth *a, const char *header)
{
    struct auth_offers o = {.n = 0};
    auth_offers_add(&o, span_of(header));
    assert_int_equal(o.n, 1);
    auth_start(a, &o.list[0]);
}

static void A1_A3_A10_signs_as_the_standards_say(void **state)
{
    (void)state;
    struct auth a;
    char h[AUTH_HEADER_BYTES];
    /* RFC 2617 3.5 */
    start(&a, "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
              "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
              "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"");
    str_copy(a.cnonce, sizeof a.cnonce, "0a4f113b");
    assert_true(auth_sign(&a, "GET", "/dir/index.html", "Mufasa", "Circle Of Life", SPAN(""), h,
                          sizeof h) > 0);
    assert_string_equal(h, "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
                           "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                           "uri=\"/dir/index.html\", "
                           "response=\"6629fae49393a05397450978507c4ef1\", "
                           "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", qop=auth, nc=00000001, "
                           "cnonce=\"0a4f113b\"");
    auth_sign(&a, "GET", "/", "Mufasa", "Circle Of Life", SPAN(""), h, sizeof h);
    assert_non_null(strstr(h, "nc=00000002"));
    /* RFC 7616 3.9.1 with a shorter cnonce */
    start(&a, "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, "
              "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
              "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"");
    str_copy(a.cnonce, sizeof a.cnonce, "f2/wE4q74E6zIJEt");
    a.challenge.has_opaque = false;
    auth_sign(&a, "GET", "/dir/index.html", "Mufasa", "Circle of Life", SPAN(""), h, sizeof h);
    assert_non_null(
        strstr(h, "response=\"694dea84e7bfe90435fb5b8a050f4cecdc46ad86da6ce54432325b34d8d2d3e9\", "
                  "algorithm=SHA-256, qop=auth, nc=00000001, "));
    /* RFC 2069 2.4 with its errata */
    start(&a, "Digest realm=\"testrealm@host.com\", "
              "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"");
    auth_sign(&a, "GET", "/dir/index.html", "Mufasa", "CircleOfLife", SPAN(""), h, sizeof h);
    assert_string_equal(h, "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
                           "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                           "uri=\"/dir/index.html\", "
                           "response=\"1949323746fe6a43ef61f9606e7febea\"");
    /* RFC 7617 2 */
    start(&a, "Basic realm=\"WallyWorld\"");
    auth_sign(&a, "GET", "/", "Aladdin", "open sesame", SPAN(""), h, sizeof h);
    assert_string_equal(h, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_int_equal(auth_sign(&a, "GET", "/", "Aladdin", "open sesame", SPAN(""), h, 10),
                     ERR_TOO_BIG);
    struct auth none = {0};
    assert_int_equal(auth_sign(&none, "GET", "/", "a", "b", SPAN(""), h, sizeof h), ERR_INVALID);
}

static void verifies_what_it_signs(void **state)
{
    (void)state;
    for (int scheme = AUTH_MD5; scheme < AUTH_SCHEMES; scheme++) {
        for (int qop = AUTH_QOP_NONE; qop <= AUTH_QOP_AUTH_INT; qop++) {
            struct auth_challenge c = {.scheme = (enum auth_scheme)scheme,
                                       .qop = (enum auth_qop)qop,
                                       .realm = "Rookery (1), a:b",
                                       .has_opaque = true};
            char text[AUTH_HEADER_BYTES];
            char ha1[AUTH_HASH_BYTES];
            struct auth client;
            struct auth_answer answer;
            auth_make_nonce(c.nonce, sizeof c.nonce);
            assert_true(auth_challenge_print(&c, text, sizeof text));
            start(&client, text);
            assert_true(auth_is_repeated(&client, &c));
            assert_true(auth_sign(&client, "PLAY", "rtsp://h/\"x\\y\"", "us\"er", "pass", SPAN("b"),
                                  text, sizeof text) > 0);
            assert_int_equal(auth_answer_parse(span_of(text), &answer), 0);
            assert_string_equal(answer.uri, "rtsp://h/\"x\\y\"");
            assert_string_equal(answer.user, "us\"er");
            auth_ha1(c.scheme, "us\"er", c.realm, "pass", ha1);
            assert_true(auth_answer_verify(&answer, &c, "PLAY", ha1, SPAN("b")));
            assert_false(auth_answer_verify(&answer, &c, "SETUP", ha1, SPAN("b")));
            assert_int_equal(auth_answer_verify(&answer, &c, "PLAY", ha1, SPAN("other")),
                             qop != AUTH_QOP_AUTH_INT);
            auth_ha1(c.scheme, "us\"er", c.realm, "wrong", ha1);
            assert_false(auth_answer_verify(&answer, &c, "PLAY", ha1, SPAN("b")));
            auth_make_nonce(c.nonce, sizeof c.nonce);
            assert_false(auth_is_repeated(&client, &c));
            auth_ha1(c.scheme, "us\"er", c.realm, "pass", ha1);
            assert_false(auth_answer_verify(&answer, &c, "PLAY", ha1, SPAN("b")));
        }
    }
}

static void reads_answers(void **state)
{
    (void)state;
    struct auth_answer a;
    assert_int_equal(auth_answer_parse(SPAN("Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ=="), &a), 0);
    assert_int_equal(a.scheme, AUTH_BASIC);
    assert_string_equal(a.user, "Aladdin");
    assert_string_equal(a.password, "open:sesame");
    assert_int_equal(auth_answer_parse(SPAN("Basic ???"), &a), ERR_PARSE);
    assert_int_equal(auth_answer_parse(SPAN("Bearer x"), &a), ERR_UNSUPPORTED);
    assert_int_equal(auth_answer_parse(SPAN(""), &a), ERR_PARSE);
    assert_int_equal(auth_answer_parse(SPAN("Digest username=\"a\""), &a), ERR_PARSE);
    assert_int_equal(auth_answer_parse(SPAN("Digest response=\"AB12\", nc=0000000a, qop=auth"), &a),
                     0);
    assert_string_equal(a.response, "ab12");
    assert_int_equal(a.nonce_count, 10);
    assert_int_equal(auth_answer_parse(SPAN("Digest response=\"a\", nc=xyz"), &a), ERR_PARSE);
    assert_int_equal(auth_answer_parse(SPAN("Digest response=\"a\", nc=123456789"), &a),
                     ERR_TOO_BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(A4_reads_challenges),
        cmocka_unit_test(prefers_the_strongest_not_tried),
        cmocka_unit_test(A1_A3_A10_signs_as_the_standards_say),
        cmocka_unit_test(verifies_what_it_signs),
        cmocka_unit_test(reads_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
