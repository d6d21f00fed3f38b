#include "media_rig.h"

#include "base/buf.h"
#include "base/err.h"
#include "media/rtp.h"

#define HEAD "80e01234000056780000abcd"

static void parses_headers_of_every_kind(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int rc;
        const char *payload;
    } cases[] = {
        {HEAD "010203", 0, "010203"},
        {HEAD, 0, ""},
        {"82e01234000056780000abcd 11111111 22222222 010203", 0, "010203"},    /* CSRC */
        {"90e01234000056780000abcd abac0001 deadbeef 010203", 0, "010203"},    /* extension */
        {"a0e01234000056780000abcd 010203 0002", 0, "010203"},                 /* padding */
        {"b1e01234000056780000abcd 11111111 abac0000 0102 000003", 0, "0102"}, /* all */
        {"a0e01234000056780000abcd 010200", ERR_PARSE, NULL},                  /* no count */
        {"a0e01234000056780000abcd 010209", ERR_PARSE, NULL},                  /* too much */
        {"90e01234000056780000abcd abac0002 deadbeef", ERR_PARSE, NULL},
        {"8fe01234000056780000abcd 11111111", ERR_PARSE, NULL},
        {"40e01234000056780000abcd", ERR_PARSE, NULL},
        {"80e0123400005678000000", ERR_PARSE, NULL},
        {"", ERR_PARSE, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes b = unhex(cases[i].hex);
        struct rtp r;
        assert_int_equal(rtp_parse(b.p, b.n, &r), cases[i].rc);
        if (cases[i].rc < 0)
            continue;
        struct bytes want = unhex(cases[i].payload);
        assert_int_equal(r.payload_type, 0x60);
        assert_true(r.marker);
        assert_int_equal(r.seq, 0x1234);
        assert_int_equal(r.timestamp, 0x5678);
        assert_int_equal(r.ssrc, 0xabcd);
        assert_int_equal(r.payload_size, want.n);
        assert_memory_equal(r.payload, want.p, want.n);
    }
}

static void tells_of_a_header_extension(void **state)
{
    (void)state;
    struct bytes b = unhex("90e01234000056780000abcd ffd80002 ffdd0004 0010ffff 010203");
    struct rtp r;
    assert_int_equal(rtp_parse(b.p, b.n, &r), 0);
    assert_int_equal(r.extension_profile, 0xffd8);
    assert_ptr_equal(r.extension, b.p + 16);
    assert_int_equal(r.extension_size, 8);
    b = unhex(HEAD "010203");
    assert_int_equal(rtp_parse(b.p, b.n, &r), 0);
    assert_int_equal(r.extension_size, 0);
}

static void prints_what_it_parses(void **state)
{
    (void)state;
    struct rtp r = {.payload_type = 97, .seq = 65535, .timestamp = 0xfffffff0, .ssrc = 0x12345678};
    struct rtp back;
    uint8_t p[RTP_HEADER_BYTES];
    rtp_print_header(&r, p);
    assert_int_equal(rtp_parse(p, sizeof p, &back), 0);
    assert_int_equal(back.payload_type, 97);
    assert_false(back.marker);
    assert_int_equal(back.seq, 65535);
    assert_int_equal(back.timestamp, 0xfffffff0);
    assert_int_equal(back.ssrc, 0x12345678);
}

struct seq_case {
    uint16_t seq;
    enum rtp_order order;
    uint32_t lost;
    int time; /* 0 = later than all before */
};

static void run_seq(struct rtp_seq *s, const struct seq_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t lost = 99;
        uint32_t time = cases[i].time ? (uint32_t)cases[i].time : 1000 + (uint32_t)i;
        assert_int_equal(rtp_seq_next(s, cases[i].seq, time, &lost), cases[i].order);
        assert_int_equal(lost, cases[i].lost);
    }
}

static void R8_counts_losses_across_the_wrap(void **state)
{
    (void)state;
    static const struct seq_case cases[] = {
        {65533, RTP_IN_ORDER, 0, 0}, {65534, RTP_IN_ORDER, 0, 0}, {1, RTP_AFTER_LOSS, 2, 0},
        {2, RTP_IN_ORDER, 0, 0},     {2, RTP_LATE, 0, 1003},      {1, RTP_LATE, 0, 1002},
        {3, RTP_IN_ORDER, 0, 0},     {6, RTP_AFTER_LOSS, 2, 0},
    };
    struct rtp_seq s = {0};
    run_seq(&s, cases, ARRAY_LEN(cases));
    assert_int_equal(s.n_lost, 4);
    assert_int_equal(s.n_late, 2);
    assert_int_equal(s.n_received, 6);
    assert_int_equal(s.cycles, 1);
}

static void counts_every_wrap_once(void **state)
{
    (void)state;
    struct rtp_seq s = {0};
    uint32_t lost;
    for (uint32_t i = 0; i < 3 * 65536 + 1; i++)
        assert_int_equal(rtp_seq_next(&s, (uint16_t)i, i, &lost), RTP_IN_ORDER);
    assert_int_equal(s.cycles, 3);
}

static void R5_takes_a_new_count_at_once_over_tcp(void **state)
{
    (void)state;
    static const struct seq_case cases[] = {
        {100, RTP_IN_ORDER, 0, 0},    {101, RTP_IN_ORDER, 0, 0}, {101, RTP_LATE, 0, 1001},
        {60, RTP_RESTART, 0, 0},      {61, RTP_IN_ORDER, 0, 0},  {5000, RTP_RESTART, 0, 0},
        {5001, RTP_IN_ORDER, 0, 0},   {5001, RTP_RESTART, 0, 0}, /* a group of one packet */
        {5003, RTP_AFTER_LOSS, 1, 0}, {4990, RTP_RESTART, 0, 0}, {0, RTP_RESTART, 0, 5},
    };
    struct rtp_seq s = {.is_reliable = true};
    run_seq(&s, cases, ARRAY_LEN(cases));
}

static void I1_passes_over_what_was_sent_twice(void **state)
{
    (void)state;
    static const struct seq_case cases[] = {
        {65533, RTP_IN_ORDER, 0, 0}, {65534, RTP_IN_ORDER, 0, 0}, {65535, RTP_IN_ORDER, 0, 0},
        {0, RTP_IN_ORDER, 0, 0},     {65534, RTP_LATE, 0, 1001},  {65535, RTP_LATE, 0, 1002},
        {0, RTP_LATE, 0, 1003},      {1, RTP_IN_ORDER, 0, 0},     {2, RTP_IN_ORDER, 0, 0},
    };
    struct rtp_seq s = {.is_reliable = true};
    run_seq(&s, cases, ARRAY_LEN(cases));
    s = (struct rtp_seq){0};
    run_seq(&s, cases, ARRAY_LEN(cases));
    /* but not for ever: this is a new count with a new clock */
    uint32_t lost;
    int n = 0;
    s.is_reliable = true;
    while (n < 100 && rtp_seq_next(&s, 1, 5, &lost) == RTP_LATE)
        n++;
    assert_int_equal(n, 32);
}

static void needs_two_in_a_row_to_believe_a_small_step_back(void **state)
{
    (void)state;
    static const struct seq_case cases[] = {
        {100, RTP_IN_ORDER, 0, 0}, {101, RTP_IN_ORDER, 0, 0}, {60, RTP_LATE, 0, 0},
        {61, RTP_RESTART, 0, 0},   {62, RTP_IN_ORDER, 0, 0},  {63, RTP_IN_ORDER, 0, 0},
        {40, RTP_LATE, 0, 0},      {64, RTP_IN_ORDER, 0, 0},  {41, RTP_LATE, 0, 0},
        {65, RTP_IN_ORDER, 0, 0},  {2, RTP_LATE, 0, 0},       {30000, RTP_RESTART, 0, 0},
    };
    struct rtp_seq s = {0};
    run_seq(&s, cases, ARRAY_LEN(cases));
}

static void tells_rtcp_apart(void **state)
{
    (void)state;
    struct bytes sr = unhex("80c80006 00000001"), rtp = unhex(HEAD);
    assert_true(rtp_is_rtcp(sr.p, sr.n));
    assert_false(rtp_is_rtcp(sr.p, 7));
    assert_false(rtp_is_rtcp(rtp.p, rtp.n));
}

static void reads_compounds_and_broken_ones(void **state)
{
    (void)state;
    uint8_t p[64];
    struct rtcp_sender_report sr = {.ssrc = 7, .ntp = UINT64_C(0xe000000080000000), .timestamp = 9};
    struct rtcp_summary sum;
    assert_int_equal(rtcp_print_sender_report(&sr, 10, 1000, p, sizeof p), 28);
    memcpy(p + 28, "\x81\xcb\x00\x01\x00\x00\x00\x07", 8);
    assert_int_equal(rtcp_parse(p, 36, &sum), 0);
    assert_true(sum.has_sender_report);
    assert_true(sum.has_bye);
    assert_int_equal(sum.sr.ssrc, 7);
    assert_true(sum.sr.ntp == sr.ntp);
    assert_int_equal(sum.sr.timestamp, 9);
    p[3] = 200; /* a length that is wrong */
    assert_int_equal(rtcp_parse(p, 36, &sum), 0);
    assert_true(sum.has_sender_report);
    assert_false(sum.has_bye);
    assert_int_equal(rtcp_parse(p, 20, &sum), 0);
    assert_false(sum.has_sender_report);
    assert_int_equal(rtcp_parse(p, 3, &sum), ERR_PARSE);
    p[0] = 0;
    assert_int_equal(rtcp_parse(p, 36, &sum), ERR_PARSE);
    assert_int_equal(rtcp_print_sender_report(&sr, 0, 0, p, 27), 0);
}

static void prints_a_receiver_report(void **state)
{
    (void)state;
    uint8_t p[32];
    struct rtcp_report r = {1, 2, 0x00010005, UINT64_C(1) << 40, 3, 4};
    assert_int_equal(rtcp_print_receiver_report(&r, p, sizeof p), 32);
    assert_memory_equal(p, "\x81\xc9\x00\x07\x00\x00\x00\x01\x00\x00\x00\x02\x00\x7f\xff\xff", 16);
    assert_int_equal(get_be32(p + 16), 0x00010005);
    assert_int_equal(get_be32(p + 24), 3);
    assert_int_equal(get_be32(p + 28), 4);
    assert_int_equal(rtcp_print_receiver_report(&r, p, 31), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_headers_of_every_kind),
        cmocka_unit_test(tells_of_a_header_extension),
        cmocka_unit_test(prints_what_it_parses),
        cmocka_unit_test(R8_counts_losses_across_the_wrap),
        cmocka_unit_test(counts_every_wrap_once),
        cmocka_unit_test(R5_takes_a_new_count_at_once_over_tcp),
        cmocka_unit_test(I1_passes_over_what_was_sent_twice),
        cmocka_unit_test(needs_two_in_a_row_to_believe_a_small_step_back),
        cmocka_unit_test(tells_rtcp_apart),
        cmocka_unit_test(reads_compounds_and_broken_ones),
        cmocka_unit_test(prints_a_receiver_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
