#include "ingest/gate.h"

#include "rig.h"

#define MAX_PASSES 600
#define MIN_US     (60 * US_PER_S)

struct rig {
    struct clock_virtual clock;
    struct loop *loop;
    struct gate *gate;
    struct place {
        struct gate_pass pass;
        struct rig *rig;
        bool leaves_at_once;
    } places[MAX_PASSES];
    int n_inside, n_entered, max_inside;
};

static void on_enter(void *ctx)
{
    struct place *p = ctx;
    struct rig *rig = p->rig;
    rig->n_entered++;
    rig->n_inside++;
    rig->max_inside = MAX(rig->max_inside, rig->n_inside);
    if (p->leaves_at_once) {
        rig->n_inside--;
        gate_leave(rig->gate, &p->pass);
    }
}

static void enter(struct rig *rig, int i, const char *host, bool is_suspect)
{
    rig->places[i].pass.enter = on_enter;
    rig->places[i].pass.ctx = &rig->places[i];
    rig->places[i].rig = rig;
    gate_enter(rig->gate, &rig->places[i].pass, host, is_suspect);
}

static void leave(struct rig *rig, int i)
{
    rig->n_inside -= rig->places[i].pass.place == GATE_INSIDE;
    gate_leave(rig->gate, &rig->places[i].pass);
}

static void settle(struct rig *rig)
{
    loop_advance(rig->loop, &rig->clock, 0);
}

static bool is_inside(const struct rig *rig, int i)
{
    return rig->places[i].pass.place == GATE_INSIDE;
}

/* --- tests --- */

static void L3_no_more_than_four_at_one_host(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 10; i++)
        enter(rig, i, i % 2 ? "NVR-1" : "nvr-1", false);
    assert_int_equal(rig->n_entered, 0); /* not from within */
    settle(rig);
    assert_int_equal(rig->n_inside, GATE_PER_HOST);
    assert_int_equal(gate_n_waiting(rig->gate), 6);
    enter(rig, 10, "camera-2", false);
    settle(rig);
    assert_true(is_inside(rig, 10)); /* passes those who wait for another host */
    leave(rig, 0);
    settle(rig);
    assert_true(is_inside(rig, 4)); /* in the order of coming */
    assert_int_equal(rig->max_inside, GATE_PER_HOST + 1);
}

static void L3_no_more_than_the_limit_in_all(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 500; i++) {
        char host[32];
        snprintf(host, sizeof host, "10.0.%d.%d", i / 250, i % 250);
        enter(rig, i, host, false);
    }
    settle(rig);
    assert_int_equal(rig->n_inside, 16);
    for (int i = 0; i < 500; i++) {
        assert_true(is_inside(rig, i));
        leave(rig, i);
        settle(rig);
    }
    assert_int_equal(rig->n_entered, 500);
    assert_int_equal(rig->max_inside, 16);
}

static void the_dead_delay_nobody(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 100; i++) {
        char host[32];
        snprintf(host, sizeof host, "dead-%d", i);
        enter(rig, i, host, true);
    }
    settle(rig);
    assert_int_equal(rig->n_inside, 8);
    for (int i = 100; i < 200; i++) {
        char host[32];
        snprintf(host, sizeof host, "alive-%d", i);
        rig->places[i].leaves_at_once = true;
        enter(rig, i, host, false);
    }
    settle(rig);
    assert_int_equal(rig->n_entered, 108);
    /* the dead channels of a recorder leave places for its others */
    for (int i = 200; i < 204; i++)
        enter(rig, i, "nvr", true);
    for (int i = 0; i < 4; i++)
        leave(rig, i);
    rig->places[204].leaves_at_once = true;
    enter(rig, 204, "nvr", false);
    settle(rig);
    assert_false(is_inside(rig, 203));
    assert_int_equal(rig->places[204].pass.place, GATE_OUTSIDE);
}

static void who_waits_may_go_away(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 8; i++)
        enter(rig, i, "nvr", false);
    leave(rig, 1);
    leave(rig, 5);
    leave(rig, 5);
    settle(rig);
    assert_int_equal(rig->n_inside, 4);
    assert_false(is_inside(rig, 5));
    for (int i = 0; i < 8; i++)
        leave(rig, i);
    settle(rig);
    assert_int_equal(rig->n_inside, 0);
    assert_int_equal(gate_n_waiting(rig->gate), 0);
}

static void A8_a_refused_password_is_not_tried_by_others(void **state)
{
    struct rig *rig = *state;
    uint64_t wrong = gate_login_of("admin", "12345");
    assert_int_equal(gate_login_at(rig->gate, "nvr", wrong, false), 0);
    int64_t until_us = loop_mono_us(rig->loop) + 10 * MIN_US;
    gate_login_refused(rig->gate, "nvr", wrong, until_us);
    assert_int_equal(gate_login_at(rig->gate, "NVR", wrong, false), until_us);
    assert_int_equal(gate_login_at(rig->gate, "nvr", wrong, true), 0); /* it worked for this one */
    assert_int_equal(gate_login_at(rig->gate, "other", wrong, false), 0);
    assert_int_equal(gate_login_at(rig->gate, "nvr", gate_login_of("admin1", "2345"), false), 0);
    loop_advance(rig->loop, &rig->clock, 10 * MIN_US);
    assert_int_equal(gate_login_at(rig->gate, "nvr", wrong, false), 0);
}

static void enter_with(struct rig *rig, int i, const char *host, uint64_t login)
{
    rig->places[i].pass.login = login;
    enter(rig, i, host, false);
}

static void A8_an_unproven_login_is_tried_by_one_at_a_time(void **state)
{
    struct rig *rig = *state;
    uint64_t login = gate_login_of("a", "1");
    enter_with(rig, 0, "nvr", login);
    enter_with(rig, 1, "nvr", login);
    enter_with(rig, 2, "nvr", gate_login_of("b", "2")); /* perhaps another device behind a router */
    enter_with(rig, 3, "nvr", 0);                       /* it has worked for this one */
    enter_with(rig, 4, "other", login);
    enter_with(rig, 5, "nvr", login);
    settle(rig);
    assert_true(is_inside(rig, 0) && is_inside(rig, 2));
    assert_true(is_inside(rig, 3) && is_inside(rig, 4));
    assert_int_equal(rig->n_inside, 4);
    leave(rig, 0); /* nothing was learnt: the next one */
    settle(rig);
    assert_true(is_inside(rig, 1));
    assert_false(is_inside(rig, 5));
    gate_login_accepted(rig->gate, "nvr", login);
    enter_with(rig, 6, "nvr", login);
    leave(rig, 1);
    settle(rig);
    assert_true(is_inside(rig, 5) && is_inside(rig, 6));
}

/* Each may wait 10 minutes only; together they would ask for ever, and lock us out. */
static void A8_each_refusal_of_a_device_waits_twice_as_long(void **state)
{
    static const int minutes[] = {10, 20, 40, 60, 60};
    struct rig *rig = *state;
    uint64_t login = gate_login_of("a", "1");
    for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
        int64_t now_us = loop_mono_us(rig->loop);
        int64_t until_us = now_us + minutes[i] * MIN_US;
        assert_int_equal(gate_login_at(rig->gate, "nvr", login, false), 0);
        assert_int_equal(gate_login_refused(rig->gate, "nvr", login, now_us + 10 * MIN_US),
                         until_us);
        assert_int_equal(gate_login_refused(rig->gate, "nvr", login, until_us),
                         until_us); /* same */
        assert_int_equal(gate_login_at(rig->gate, "nvr", login, false), until_us);
        loop_advance(rig->loop, &rig->clock, minutes[i] * MIN_US);
    }
}

static void A8_two_refusals_stop_all_new_logins_of_the_device(void **state)
{
    struct rig *rig = *state;
    int64_t now_us = loop_mono_us(rig->loop);
    uint64_t third = gate_login_of("c", "3");
    gate_login_refused(rig->gate, "nvr", gate_login_of("a", "1"), now_us + 10 * MIN_US);
    loop_advance(rig->loop, &rig->clock, MIN_US);
    gate_login_refused(rig->gate, "nvr", gate_login_of("b", "2"), now_us + 11 * MIN_US);
    assert_int_equal(gate_login_at(rig->gate, "nvr", third, false), now_us + GATE_LOGIN_US);
    assert_int_equal(gate_login_at(rig->gate, "nvr", third, true), 0);
    gate_login_forget(rig->gate, "nvr"); /* somebody corrected a password */
    assert_int_equal(gate_login_at(rig->gate, "nvr", third, false), 0);
}

static void A8_a_login_that_works_is_not_held_back(void **state)
{
    struct rig *rig = *state;
    uint64_t login = gate_login_of("a", "1");
    enter(rig, 0, "nvr", false);
    settle(rig);
    gate_login_accepted(rig->gate, "nvr", login);
    /* one channel that this user may not see */
    gate_login_refused(rig->gate, "nvr", login, loop_mono_us(rig->loop) + 10 * MIN_US);
    assert_int_equal(gate_login_at(rig->gate, "nvr", login, false), 0);
}

static void remembers_a_bounded_number_of_hosts(void **state)
{
    struct rig *rig = *state;
    uint64_t login = gate_login_of("a", "1");
    for (int i = 0; i < 3 * GATE_MAX_HOSTS; i++) {
        char host[32];
        snprintf(host, sizeof host, "host-%d", i);
        loop_advance(rig->loop, &rig->clock, US_PER_MS);
        gate_login_refused(rig->gate, host, login, loop_mono_us(rig->loop) + 10 * MIN_US);
    }
    assert_int_equal(gate_login_at(rig->gate, "host-0", login, false), 0); /* the oldest went */
    assert_true(gate_login_at(rig->gate, "host-1535", login, false) > 0);
}

static int set_up(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    clock_virtual_init(&rig->clock, 0);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    rig->gate = gate_create(rig->loop, 16);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < MAX_PASSES; i++)
        gate_leave(rig->gate, &rig->places[i].pass);
    gate_destroy(&rig->gate);
    loop_destroy(&rig->loop);
    free(rig);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(L3_no_more_than_four_at_one_host),
        TEST(L3_no_more_than_the_limit_in_all),
        TEST(the_dead_delay_nobody),
        TEST(who_waits_may_go_away),
        TEST(A8_a_refused_password_is_not_tried_by_others),
        TEST(A8_an_unproven_login_is_tried_by_one_at_a_time),
        TEST(A8_each_refusal_of_a_device_waits_twice_as_long),
        TEST(A8_two_refusals_stop_all_new_logins_of_the_device),
        TEST(A8_a_login_that_works_is_not_held_back),
        TEST(remembers_a_bounded_number_of_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
