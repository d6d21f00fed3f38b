#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "delivery/wall_message.h"

static int parse(const char *text, struct wall_command *out)
{
    bool has_tile;
    return wall_command_parse(text, strlen(text), out, &has_tile, NULL);
}

static void reads_the_messages_of_the_specification(void **state)
{
    (void)state;
    struct wall_command c;
    assert_int_equal(parse("{\"type\":\"subscribe\",\"tile\":3,\"gen\":1,\"camera\":\"cam-001\","
                           "\"stream\":\"auto\",\"audio\":true}",
                           &c),
                     0);
    assert_int_equal(c.type, WALL_SUBSCRIBE);
    assert_int_equal(c.tile, 3);
    assert_int_equal(c.gen, 1);
    assert_string_equal(c.camera, "cam-001");
    assert_string_equal(c.stream, "auto");
    assert_true(c.wants_audio && c.is_live);

    assert_int_equal(parse("{\"type\":\"subscribe\",\"tile\":3,\"gen\":2,\"camera\":\"cam-001\","
                           "\"stream\":\"main\",\"at\":\"2026-11-23T04:05:06Z\",\"speed\":0.5,"
                           "\"paused\":true}",
                           &c),
                     0);
    assert_false(c.is_live);
    char text[CLOCK_RFC3339_BYTES];
    assert_string_equal(rfc3339_print(c.at_us, text), "2026-11-23T04:05:06.000Z");
    assert_true(c.has_speed && c.speed == 0.5 && c.has_paused && c.is_paused);

    assert_int_equal(parse("{\"type\":\"seek\",\"tile\":3,\"gen\":3,\"at\":\"live\"}", &c), 0);
    assert_true(c.type == WALL_SEEK && c.is_live);
    assert_int_equal(
        parse("{\"type\":\"seek\",\"tile\":3,\"gen\":4,\"at\":\"2026-11-23T04:05:06Z\"}", &c), 0);
    assert_int_equal(c.pick, READER_AT);
    assert_int_equal(
        parse("{\"type\":\"seek\",\"tile\":3,\"gen\":4,\"at\":\"2026-11-23T04:05:06Z\","
              "\"pick\":\"key_before\"}",
              &c),
        0);
    assert_int_equal(c.pick, READER_KEY_BEFORE);
    assert_int_equal(parse("{\"type\":\"speed\",\"tile\":3,\"speed\":16,\"paused\":false}", &c), 0);
    assert_true(c.speed == 16);
    assert_int_equal(parse("{\"type\":\"step\",\"tile\":65535}", &c), 0);
    assert_int_equal(c.tile, 65535);
    assert_int_equal(parse("{\"type\":\"layout\",\"visible\":[0,1,7],\"large\":0}", &c), 0);
    assert_int_equal(c.n_visible, 3);
    assert_int_equal(c.visible[2], 7);
    assert_int_equal(parse("{\"type\":\"ping\",\"t\":12345}", &c), 0);
    assert_true(c.t == 12345);
}

static void refuses_what_it_does_not_understand(void **state)
{
    (void)state;
    static const char *bad[] = {
        "",
        "[]",
        "{",
        "17",
        "{\"type\":\"dance\",\"tile\":1}",
        "{\"type\":3}",
        "{\"type\":\"step\"}",
        "{\"type\":\"step\",\"tile\":65536}",
        "{\"type\":\"step\",\"tile\":-1}",
        "{\"type\":\"step\",\"tile\":1.5}",
        "{\"type\":\"step\",\"tile\":\"1\"}",
        "{\"type\":\"subscribe\",\"tile\":1,\"camera\":\"cam-1\"}",
        "{\"type\":\"subscribe\",\"tile\":1,\"gen\":4294967296,\"camera\":\"cam-1\"}",
        "{\"type\":\"subscribe\",\"tile\":1,\"gen\":1}",
        "{\"type\":\"subscribe\",\"tile\":1,\"gen\":1,\"camera\":\"../etc\"}",
        "{\"type\":\"subscribe\",\"tile\":1,\"gen\":1,\"camera\":\"c\",\"stream\":\"third\"}",
        "{\"type\":\"subscribe\",\"tile\":1,\"gen\":1,\"camera\":\"c\",\"audio\":1}",
        "{\"type\":\"subscribe\",\"tile\":1,\"gen\":1,\"camera\":\"c\",\"at\":\"yesterday\"}",
        "{\"type\":\"subscribe\",\"tile\":1,\"gen\":1,\"camera\":\"c\",\"at\":7}",
        "{\"type\":\"subscribe\",\"tile\":1,\"gen\":1,\"camera\":\"c\",\"speed\":3}",
        "{\"type\":\"seek\",\"tile\":1,\"gen\":1}",
        "{\"type\":\"seek\",\"tile\":1,\"gen\":1,\"at\":\"2026-11-23T04:05:06Z\",\"pick\":\"best\"}",
        "{\"type\":\"seek\",\"tile\":1,\"gen\":1,\"at\":\"2026-11-23T04:05:06Z\",\"pick\":1}",
        "{\"type\":\"speed\",\"tile\":1,\"speed\":\"2\"}",
        "{\"type\":\"speed\",\"tile\":1,\"paused\":\"no\"}",
        "{\"type\":\"layout\"}",
        "{\"type\":\"layout\",\"visible\":[\"a\"]}",
        "{\"type\":\"ping\",\"t\":\"x\"}",
        "{\"type\":\"step\",\"tile\":1,\"tile\":2}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct wall_command c;
        struct err err = {0};
        bool has_tile;
        int rc = wall_command_parse(bad[i], strlen(bad[i]), &c, &has_tile, &err);
        if (rc != ERR_PARSE || err.msg[0] == '\0')
            fail_msg("taken: %s", bad[i]);
    }
}

static void names_the_tile_of_a_bad_message(void **state)
{
    (void)state;
    struct wall_command c;
    bool has_tile;
    const char *text = "{\"type\":\"subscribe\",\"tile\":9,\"gen\":4,\"camera\":\"?\"}";
    assert_int_equal(wall_command_parse(text, strlen(text), &c, &has_tile, NULL), ERR_PARSE);
    assert_true(has_tile);
    assert_int_equal(c.tile, 9);
    assert_int_equal(c.gen, 4);
}

static void a_layout_of_more_than_100_tiles_is_refused(void **state)
{
    (void)state;
    struct buf text;
    struct wall_command c;
    buf_init(&text, 0);
    buf_puts(&text, "{\"type\":\"layout\",\"visible\":[0");
    for (int i = 1; i < 100; i++)
        buf_printf(&text, ",%d", i);
    size_t n = text.len;
    buf_puts(&text, "]}");
    assert_int_equal(parse(buf_cstr(&text), &c), 0);
    assert_int_equal(c.n_visible, 100);
    text.len = n;
    buf_puts(&text, ",100]}");
    assert_int_equal(parse(buf_cstr(&text), &c), ERR_PARSE);
    buf_fini(&text);
}

static void text_is_cut_at_a_character(void **state)
{
    (void)state;
    struct wall_state st = {.is_advancing = false, .cause = "timeout", .retry_s = 2.5};
    struct buf text;
    buf_init(&text, 0);
    memcpy(st.detail, "\xe6\x91\x84\xe5\x83", 6); /* the second character lacks a byte */
    wall_print_state(&text, (struct wall_subject){1, 2}, &st);
    assert_false(text.is_failed);
    json_t *o = json_loads(buf_cstr(&text), 0, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "detail")), "\xe6\x91\x84");
    assert_true(json_real_value(json_object_get(o, "retry_s")) == 2.5);
    json_decref(o);
    buf_fini(&text);
}

static void the_header_is_big_endian(void **state)
{
    (void)state;
    struct packet *pkt = packet_create(1);
    struct fragment f = {
        .pkt = pkt, .head_size = 0x1234, .wall_us = 0x0102030405060708, .pts = 0x1112131415161718};
    uint8_t h[WALL_HEADER_BYTES];
    wall_print_header(h, (struct wall_subject){0x2122, 0x31323334}, &f,
                      WALL_FLAG_KEY | WALL_FLAG_RECORDED, 0x41424344);
    static const uint8_t expected[WALL_HEADER_BYTES] = {
        2,    9,    0x21, 0x22, 0x31, 0x32, 0x33, 0x34, 1, 2, 3,    4,    5,    6,    7,    8,
        0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0, 0, 0x12, 0x34, 0x41, 0x42, 0x43, 0x44};
    assert_memory_equal(h, expected, sizeof expected);
    packet_unref(&pkt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_messages_of_the_specification),
        cmocka_unit_test(refuses_what_it_does_not_understand),
        cmocka_unit_test(names_the_tile_of_a_bad_message),
        cmocka_unit_test(a_layout_of_more_than_100_tiles_is_refused),
        cmocka_unit_test(text_is_cut_at_a_character),
        cmocka_unit_test(the_header_is_big_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
