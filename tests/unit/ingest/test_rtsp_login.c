/* The client and passwords. */
#include "rtsp_client_rig.h"

/* --- login --- */

#define MD5(nonce) "WWW-Authenticate: Digest realm=\"IP Camera(1)\", nonce=\"" nonce "\"\n"

static void logs_in_by_basic(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "admin", "a:b", false);
    to_describe(rig);
    answer(rig, "401 Unauthorized\nWWW-Authenticate: Basic realm=testrealm\n", NULL);
    assert_request(rig, "DESCRIBE ");
    assert_header(rig, "Authorization: Basic YWRtaW46YTpi\r\n");
    answer(rig, "200 OK\n", sdp_v);
    assert_header(rig, "Authorization: Basic "); /* quirk A7 */
    answer(rig, "200 OK\nSession: 1\n", NULL);
    assert_header(rig, "Authorization: Basic ");
}

static void logs_in_by_digest(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, "rtsp://10.0.0.5:554/a b?x=1", "admin", "12345", false);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    assert_request(rig, "OPTIONS rtsp://10.0.0.5:554/a b?x=1 ");
    assert_header(rig, "username=\"admin\"");
    assert_header(rig, "realm=\"IP Camera(1)\"");
    assert_header(rig, "uri=\"rtsp://10.0.0.5:554/a b?x=1\"");
    assert_no_header(rig, "cnonce");
    assert_no_header(rig, "12345");
}

static void A5_signs_again_when_the_nonce_expires(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "u", "p", false);
    to_describe(rig);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    answer(rig, "200 OK\n", sdp_v);
    answer(rig, "200 OK\nSession: 1\n", NULL);
    answer(rig, "401 Unauthorized\n" MD5("n2"), NULL); /* in any state */
    assert_request(rig, "PLAY ");
    assert_header(rig, "nonce=\"n2\"");
    answer(rig, "200 OK\n", NULL);
    wait_s(rig, 25);
    assert_request(rig, "GET_PARAMETER ");
    answer(rig, "401 Unauthorized\n" MD5("n3"), NULL);
    assert_request(rig, "GET_PARAMETER ");
    assert_header(rig, "nonce=\"n3\"");
    answer(rig, "200 OK\n", NULL);
    session_stop(rig->session, rig->now_us);
    drain(rig);
    answer(rig, "401 Unauthorized\n" MD5("n4"), NULL);
    assert_request(rig, "TEARDOWN ");
    assert_header(rig, "nonce=\"n4\"");
}

static void knows_a_wrong_password(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "u", "wrong", false);
    to_describe(rig);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL); /* the same again */
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_AUTH);
    assert_string_equal(rig->trace, "OPTIONS DESCRIBE DESCRIBE");

    begin_as(rig, URL, "u", "wrong", false); /* a new nonce every time: two tries, no more */
    to_describe(rig);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    answer(rig, "401 Unauthorized\n" MD5("n2"), NULL);
    answer(rig, "401 Unauthorized\n" MD5("n3"), NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_AUTH);
    assert_string_equal(rig->trace, "OPTIONS DESCRIBE DESCRIBE DESCRIBE");

    begin(rig); /* no password at all */
    to_describe(rig);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_AUTH);
}

static void A2_A3_prefers_the_strongest_and_falls_back_once(void **state)
{
    static const char offers[] =
        "401 Unauthorized\nWWW-Authenticate: Basic realm=\"x\"\n"
        "WWW-Authenticate: Digest realm=\"x\",nonce=\"a\", stale=\"FALSE\"\n"
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"a\", algorithm=\"SHA-256\"\n";
    struct rig *rig = *state;
    begin_as(rig, URL, "u", "p", false);
    to_describe(rig);
    answer(rig, offers, NULL);
    assert_header(rig, "algorithm=SHA-256");
    answer(rig, offers, NULL);
    assert_no_header(rig, "SHA-256");
    assert_header(rig, "Digest ");
    answer(rig, offers, NULL);
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_AUTH);
}

static void U11_carries_the_challenge_to_the_next_connection(void **state)
{
    struct rig *rig = *state;
    begin_as(rig, URL, "u", "p", false);
    to_describe(rig);
    answer(rig, "401 Unauthorized\n" MD5("n1"), NULL);
    session_closed(rig->session, CAUSE_UNREACHABLE, "the camera closed the connection");
    assert_end(rig, SESSION_VERDICT_AGAIN, CAUSE_UNREACHABLE);
    begin_as(rig, URL, "u", "p", false);
    assert_header(rig, "nonce=\"n1\"");
    session_closed(rig->session, CAUSE_UNREACHABLE, "the camera closed the connection");
    assert_end(rig, SESSION_VERDICT_FAILED, CAUSE_REFUSED); /* not for ever */
    begin_as(rig, URL, "u", "p", false);
    assert_no_header(rig, "Authorization");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(logs_in_by_basic),
        T(logs_in_by_digest),
        T(A5_signs_again_when_the_nonce_expires),
        T(knows_a_wrong_password),
        T(A2_A3_prefers_the_strongest_and_falls_back_once),
        T(U11_carries_the_challenge_to_the_next_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
