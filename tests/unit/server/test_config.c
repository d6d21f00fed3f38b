/* The configuration: defaults, every key, and what is said about mistakes. */
#include "unit.h"

#include <string.h>

#include "server/config.h"

static int load(const char *text, struct config **out, struct err *err)
{
    char *folder = unit_folder();
    char *path = xasprintf("%s/c.yaml", folder);
    unit_write(path, text);
    err_clear(err);
    int rc = config_load(path, out, err);
    free(path);
    unit_folder_remove(&folder);
    return rc;
}

static void everything_has_a_default(void **state)
{
    static const char *const empty[] = {"", "# only a comment\n", "---\n", "{}\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        struct config *c = NULL;
        struct err err;
        assert_int_equal(load(empty[i], &c, &err), 0);
        assert_string_equal(c->data_dir, "/var/lib/rookery");
        assert_int_equal(c->n_volumes, 1);
        assert_string_equal(c->volumes[0].path, "/var/lib/rookery/rec");
        assert_true(c->volumes[0].reserve_percent == 5);
        assert_string_equal(c->http.host, "127.0.0.1");
        assert_int_equal(c->http.port, 8080);
        assert_int_equal(c->retention_days, 90);
        assert_int_equal(c->thin_after_days, 0);
        assert_int_equal(c->utc_offset_minutes, 480);
        assert_true(c->is_motion_on);
        config_unref(&c);
    }
}

static void every_key_is_read(void **state)
{
    struct config *c = NULL;
    struct err err;
    (void)state;
    assert_int_equal(load("data_dir: /d\n"
                          "volumes:\n"
                          "  - {path: /a, reserve: 2.5%}\n"
                          "  - {path: /b, reserve: 10G}\n"
                          "http:   {listen: \"[::1]:81\", tls: {cert: /c, key: /k}}\n"
                          "rtsp:   {listen: \"off\"}\n"
                          "webrtc: {listen: \"0.0.0.0:9\"}\n"
                          "loops: 3\n"
                          "retention: {days: 7, thin: {after_days: 3, keep: keyframes}}\n"
                          "policy: {live: \"off\"}\n"
                          "log: {level: debug, format: json}\n"
                          "motion: off\n"
                          "time_zone: \"-03:30\"\n"
                          "web_dir: /w\n"
                          "worker: /x\n"
                          "segment: 60\n"
                          "sync_interval: 20s\n",
                          &c, &err),
                     0);
    assert_int_equal(c->n_volumes, 2);
    assert_true(c->volumes[0].reserve_percent == 2.5);
    assert_true(c->volumes[1].reserve_bytes == INT64_C(10) << 30);
    assert_string_equal(c->http.host, "::1");
    assert_int_equal(c->tls, TLS_FILES);
    assert_string_equal(c->tls_key, "/k");
    assert_false(c->rtsp.is_on);
    assert_int_equal(c->webrtc.port, 9);
    assert_int_equal(c->n_loops, 3);
    assert_int_equal(c->retention_days, 7);
    assert_int_equal(c->thin_after_days, 3);
    assert_int_equal(c->thin_keep, THIN_KEYFRAMES);
    assert_int_equal(c->policy, POLICY_OFF);
    assert_int_equal(c->log_level, LOG_DEBUG);
    assert_true(c->is_log_json);
    assert_false(c->is_motion_on);
    assert_int_equal(c->utc_offset_minutes, -210);
    assert_string_equal(c->web_dir, "/w");
    assert_string_equal(c->worker, "/x");
    assert_int_equal(c->segment_s, 60);
    assert_int_equal(c->sync_interval_s, 20);
    config_unref(&c);
}

static void mistakes_are_told_with_line_and_key(void **state)
{
    static const struct {
        const char *text, *where, *what;
    } cases[] = {
        {"loops: 2\nfoo: 1\n", ":2:", "\"foo\""},
        {"http:\n  listen: \"127.0.0.1:80\"\n  tlss: off\n", ":3:", "\"tlss\""},
        {"volumes:\n  - {path: /a}\n  - {pth: /b}\n", ":3:", "\"pth\""},
        {"\n\nretention: {days: many}\n", ":3:", "days"},
        {"loops: 2\nretention:\n  days: 0\n", ":3:", "retention.days"},
        {"retention:\n  thin: {after_days: 0}\n", ":2:", "retention.thin.after_days"},
        {"retention:\n  thin: {keep: keyframes}\n", ":2:", "after_days"},
        {"retention:\n  thin: {after_days: 9, keep: all}\n", ":2:", "retention.thin.keep"},
        {"loops: 257\n", ":1:", "loops"},
        {"http: {listen: \"nowhere\"}\n", ":1:", "http.listen"},
        {"volumes:\n  - {path: /a, reserve: lots}\n", ":2:", "reserve"},
        {"volumes:\n  - {path: /a}\n  - {path: /a}\n", "", "twice"},
        {"log:\n  level: loud\n", ":2:", "log.level"},
        {"http: {tls: {cert: a}}\n", ":1:", "key"},
        {"policy: {live: purpose}\n", ":1:", "policy.live"},
        {"time_zone: Mars/Base\n", ":1:", "time_zone"},
        {"data_dir: [a]\n", ":1:", "data_dir"},
        {"loops: 2\nsync_interval: 5m\n", ":2:", "sync_interval"},
        {"sync_interval: 2\n", ":1:", "3s to 60s"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config *c = NULL;
        struct err err;
        assert_true(load(cases[i].text, &c, &err) < 0);
        assert_null(c);
        if (strstr(err.msg, cases[i].where) == NULL || strstr(err.msg, cases[i].what) == NULL)
            fail_msg("%s: %s", cases[i].text, err.msg);
        assert_null(strchr(err.msg, '\n'));
    }
}

static void broken_yaml_does_not_crash(void **state)
{
    static const char *const texts[] = {"a: [",    "{{{{", "\t\tx", "- - -", "a: &x b\nc: *y\n",
                                        "\x80\xff"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct config *c = NULL;
        struct err err;
        assert_true(load(texts[i], &c, &err) < 0);
    }
}

static void a_reload_takes_only_what_can_change(void **state)
{
    struct config *old = NULL, *now = NULL;
    struct err err;
    (void)state;
    assert_int_equal(load("segment: 60\n", &old, &err), 0);
    assert_int_equal(
        load("segment: 30\nlog: {level: debug}\npolicy: {live: \"off\"}\n", &now, &err), 0);
    assert_string_equal(config_needs_restart(old, now), "segment");
    struct config *mixed = config_with(old, now);
    assert_int_equal(mixed->segment_s, 60);
    assert_int_equal(mixed->log_level, LOG_DEBUG);
    assert_int_equal(mixed->policy, POLICY_OFF);
    assert_null(config_needs_restart(old, mixed));
    config_unref(&old);
    config_unref(&now);
    config_unref(&mixed);
}

static void the_sample_is_the_default(void **state)
{
    struct config *sample = NULL, *none = NULL;
    struct err err;
    (void)state;
    err_clear(&err);
    assert_int_equal(config_load(SOURCE_DIR "/configs/rookery.yaml", &sample, &err), 0);
    assert_int_equal(config_load(NULL, &none, &err), 0);
    assert_null(config_needs_restart(none, sample));
    assert_int_equal(sample->log_level, none->log_level);
    assert_int_equal(sample->policy, none->policy);
    config_unref(&sample);
    config_unref(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_has_a_default),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(mistakes_are_told_with_line_and_key),
        cmocka_unit_test(broken_yaml_does_not_crash),
        cmocka_unit_test(a_reload_takes_only_what_can_change),
        cmocka_unit_test(the_sample_is_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
