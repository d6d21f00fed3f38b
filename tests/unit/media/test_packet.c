#include "media_rig.h"

#include "media/packet.h"

static void grows_geometrically_up_to_its_bound(void **state)
{
    (void)state;
    struct packet *pkt = packet_create(1000);
    while (packet_reserve(&pkt, 1000)) {
        memset(pkt->data + pkt->size, 1, 1000);
        pkt->size += 1000;
        assert_true(pkt->size <= pkt->capacity);
    }
    assert_true(pkt->size > PACKET_MAX_BYTES - 1000);
    assert_true(pkt->capacity <= PACKET_MAX_BYTES);
    packet_unref(&pkt);
    assert_null(packet_create(PACKET_MAX_BYTES + 1));
}

static void keeps_bytes_and_fields_when_moved(void **state)
{
    (void)state;
    struct packet *pkt = packet_create(4);
    memcpy(pkt->data, "abcd", 4);
    pkt->size = 4;
    pkt->pts = 77;
    assert_true(packet_reserve(&pkt, 100000));
    assert_memory_equal(pkt->data, "abcd", 4);
    assert_int_equal(pkt->pts, 77);
    packet_trim(&pkt);
    assert_int_equal(pkt->capacity, 4);
    assert_memory_equal(pkt->data, "abcd", 4);
    packet_unref(&pkt);
}

static void trims_only_what_is_much(void **state)
{
    (void)state;
    struct packet *pkt = packet_create(10000);
    pkt->size = 9000;
    packet_trim(&pkt);
    assert_int_equal(pkt->capacity, 10000);
    pkt->size = 5000;
    packet_trim(&pkt);
    assert_int_equal(pkt->capacity, 5000);
    packet_unref(&pkt);
}

static void releases_its_format_with_the_last_reference(void **state)
{
    (void)state;
    struct format *f = h264_format(SPS_360, PPS_360);
    struct packet *pkt = packet_create(0);
    pkt->format = format_ref(f);
    struct packet *other = packet_ref(pkt);
    packet_unref(&pkt);
    assert_null(pkt);
    assert_int_equal(atomic_load(&f->refs.n), 2);
    packet_unref(&other);
    assert_int_equal(atomic_load(&f->refs.n), 1);
    format_unref(&f);
    packet_unref(&pkt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_geometrically_up_to_its_bound),
        cmocka_unit_test(keeps_bytes_and_fields_when_moved),
        cmocka_unit_test(trims_only_what_is_much),
        cmocka_unit_test(releases_its_format_with_the_last_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
