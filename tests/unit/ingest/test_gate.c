#include "ingest/gate.h"

#include "ingest/backoff.h"
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
    uint64_t wrong = login_of("admin", "12345", 554);
    assert_int_equal(gate_login_at(rig->gate, "nvr", wrong, false), 0);
    int64_t until_us = loop_mono_us(rig->loop) + 10 * MIN_US;
    gate_login_refused(rig->gate, "nvr", wrong, false, until_us);
    assert_int_equal(gate_login_at(rig->gate, "NVR", wrong, false), until_us);
    assert_int_equal(gate_login_at(rig->gate, "nvr", wrong, true), 0); /* it worked for this one */
    assert_int_equal(gate_login_at(rig->gate, "other", wrong, false), 0);
    assert_int_equal(gate_login_at(rig->gate, "nvr", login_of("admin1", "2345", 554), false), 0);
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
    uint64_t login = login_of("a", "1", 554);
    enter_with(rig, 0, "nvr", login);
    enter_with(rig, 1, "nvr", login);
    enter_with(rig, 2, "nvr", login_of("b", "2", 554)); /* perhaps another device behind a router */
    enter_with(rig, 3, "nvr", 0);                       /* it has none */
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
    uint64_t login = login_of("a", "1", 554);
    for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
        int64_t now_us = loop_mono_us(rig->loop);
        int64_t until_us = now_us + minutes[i] * MIN_US;
        assert_int_equal(gate_login_at(rig->gate, "nvr", login, false), 0);
        assert_int_equal(gate_login_refused(rig->gate, "nvr", login, false, now_us + 10 * MIN_US),
                         until_us);
        assert_int_equal(gate_login_refused(rig->gate, "nvr", login, false, until_us),
                         until_us); /* same */
        assert_int_equal(gate_login_at(rig->gate, "nvr", login, false), until_us);
        loop_advance(rig->loop, &rig->clock, minutes[i] * MIN_US);
    }
}

static void A8_two_refusals_stop_all_new_logins_of_the_device(void **state)
{
    struct rig *rig = *state;
    int64_t now_us = loop_mono_us(rig->loop);
    uint64_t third = login_of("c", "3", 554);
    gate_login_refused(rig->gate, "nvr", login_of("a", "1", 554), false, now_us + 10 * MIN_US);
    loop_advance(rig->loop, &rig->clock, MIN_US);
    gate_login_refused(rig->gate, "nvr", login_of("b", "2", 554), false, now_us + 11 * MIN_US);
    assert_int_equal(gate_login_at(rig->gate, "nvr", third, false), now_us + LOGINS_LATE_US);
    assert_int_equal(gate_login_at(rig->gate, "nvr", third, true), 0);
    gate_login_forget(rig->gate, "nvr", third); /* somebody corrected a password */
    assert_int_equal(gate_login_at(rig->gate, "nvr", third, false), 0);
}

static void A8_a_login_that_works_is_not_held_back(void **state)
{
    struct rig *rig = *state;
    uint64_t login = login_of("a", "1", 554);
    enter(rig, 0, "nvr", false);
    settle(rig);
    gate_login_accepted(rig->gate, "nvr", login);
    /* one channel that this user may not see */
    gate_login_refused(rig->gate, "nvr", login, false, loop_mono_us(rig->loop) + 10 * MIN_US);
    assert_int_equal(gate_login_at(rig->gate, "nvr", login, false), 0);
}

static void enter_proven(struct rig *rig, int i, uint64_t login)
{
    rig->places[i].pass.is_proven = true;
    enter_with(rig, i, "nvr", login);
}

/* The password may have been changed since. */
static void A8_a_login_that_worked_once_is_found_out_about_again(void **state)
{
    struct rig *rig = *state;
    uint64_t login = login_of("a", "1", 554);
    for (int i = 0; i < 6; i++)
        enter_proven(rig, i, login);
    settle(rig);
    assert_int_equal(rig->n_inside, 1);
    gate_login_accepted(rig->gate, "nvr", login);
    settle(rig);
    assert_int_equal(rig->n_inside, 4); /* at once */
    for (int i = 0; i < 6; i++) {
        leave(rig, i);
        settle(rig);
    }
    enter_proven(rig, 6, login);
    settle(rig);
    gate_login_accepted(rig->gate, "nvr", login);
    loop_advance(rig->loop, &rig->clock, LOGINS_TRUST_US);
    enter_proven(rig, 7, login);
    enter_proven(rig, 8, login);
    settle(rig);
    assert_true(is_inside(rig, 6) && is_inside(rig, 7));
    assert_false(is_inside(rig, 8));
}

/* A channel that never answers does not keep the others from recording. */
static void a_scout_holds_nobody_up_for_long(void **state)
{
    struct rig *rig = *state;
    uint64_t login = login_of("a", "1", 554);
    for (int i = 0; i < 3; i++)
        enter_proven(rig, i, login);
    settle(rig);
    assert_int_equal(rig->n_inside, 1);
    loop_advance(rig->loop, &rig->clock, GATE_SCOUT_US);
    settle(rig);
    assert_int_equal(rig->n_inside, 2);
    loop_advance(rig->loop, &rig->clock, 2 * GATE_SCOUT_US);
    settle(rig);
    assert_int_equal(rig->n_inside, 3);
    for (int i = 0; i < 3; i++)
        leave(rig, i);
    settle(rig);
    for (int i = 0; i < 2; i++) { /* it has never worked: not so hurried */
        rig->places[i].pass.is_proven = false;
        enter_with(rig, i, "nvr", login);
    }
    settle(rig);
    loop_advance(rig->loop, &rig->clock, 2 * GATE_SCOUT_US);
    settle(rig);
    assert_int_equal(rig->n_inside, 1);
    loop_advance(rig->loop, &rig->clock, GATE_NEW_SCOUT_US);
    settle(rig);
    assert_int_equal(rig->n_inside, 2);
}

static void A8_a_proven_login_that_is_refused_is_in_doubt_for_all(void **state)
{
    static const int minutes[] = {1, 10, 10, 10};
    struct rig *rig = *state;
    uint64_t login = login_of("a", "1", 554);
    gate_login_refused(rig->gate, "nvr", login, false, loop_mono_us(rig->loop) + 10 * MIN_US);
    assert_int_equal(gate_login_at(rig->gate, "nvr", login, true), 0); /* no channel of this user */
    for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
        int64_t now_us = loop_mono_us(rig->loop);
        int64_t until_us = now_us + minutes[i] * MIN_US;
        assert_int_equal(gate_login_at(rig->gate, "nvr", login, true), 0);
        assert_int_equal(gate_login_refused(rig->gate, "nvr", login, true, now_us + MIN_US),
                         until_us);
        assert_int_equal(gate_login_at(rig->gate, "nvr", login, true), until_us);
        assert_true(gate_login_at(rig->gate, "nvr", login, false) >= until_us);
        assert_int_equal(gate_login_at(rig->gate, "nvr", login_of("a", "1", 555), true), 0);
        loop_advance(rig->loop, &rig->clock, minutes[i] * MIN_US);
    }
    gate_login_refused(rig->gate, "nvr", login, true, loop_mono_us(rig->loop) + MIN_US);
    enter_proven(rig, 0, login);
    gate_login_accepted(rig->gate, "nvr", login); /* it was a limit */
    assert_int_equal(gate_login_at(rig->gate, "nvr", login, true), 0);
}

/* --- a recorder whose password was changed --- */

#define CHANNELS 60

struct channel {
    struct rig *rig;
    struct gate_pass pass;
    struct backoff backoff;
    int64_t next_us;
    int *n_tries;
};

/* What a stream does when it is let in, and the recorder says no. */
static void on_channel_turn(void *ctx)
{
    struct channel *c = ctx;
    struct gate *g = c->rig->gate;
    int64_t now_us = loop_mono_us(c->rig->loop);
    int64_t at_us = gate_login_at(g, "nvr", c->pass.login, true);
    if (at_us > 0) {
        c->next_us = at_us + backoff_spread(&c->backoff);
    } else {
        (*c->n_tries)++;
        int64_t delay_us = backoff_failed(&c->backoff, CAUSE_AUTH, now_us);
        c->next_us = gate_login_refused(g, "nvr", c->pass.login, true, now_us + delay_us);
    }
    gate_leave(g, &c->pass);
}

/* It has forgotten nothing after half an hour, and locks us out after five wrong ones; each try
 * signs once, or twice where it offers several ways. */
static void A8_a_changed_password_does_not_lock_us_out(void **state)
{
    struct rig *rig = *state;
    int n_tries = 0, after_10_min = 0;
    struct channel *channels = xcalloc(CHANNELS, sizeof *channels);
    for (int i = 0; i < CHANNELS; i++) {
        struct channel *c = &channels[i];
        *c = (struct channel){.rig = rig, .n_tries = &n_tries};
        c->pass = (struct gate_pass){.enter = on_channel_turn, .ctx = c, .is_proven = true};
        c->pass.login = login_of("admin", "old", 554);
        backoff_init(&c->backoff, (uint64_t)i + 1);
        backoff_good(&c->backoff, loop_mono_us(rig->loop), 0);
    }
    for (int s = 0; s < 30 * 60; s++) {
        for (int i = 0; i < CHANNELS; i++)
            if (channels[i].pass.place == GATE_OUTSIDE &&
                channels[i].next_us <= loop_mono_us(rig->loop))
                gate_enter(rig->gate, &channels[i].pass, "nvr", false);
        loop_advance(rig->loop, &rig->clock, US_PER_S);
        if (s == 10 * 60)
            after_10_min = n_tries;
    }
    assert_int_equal(after_10_min, 2);
    assert_int_equal(n_tries, 4);
    for (int i = 0; i < CHANNELS; i++)
        gate_leave(rig->gate, &channels[i].pass);
    free(channels);
}

static void A8_one_mistake_in_all_channels_is_refused_once(void **state)
{
    struct rig *rig = *state;
    uint64_t wrong = login_of("a", "typo", 554), right = login_of("a", "1", 554);
    gate_login_refused(rig->gate, "nvr", right, true, loop_mono_us(rig->loop) + MIN_US);
    gate_login_refused(rig->gate, "nvr", wrong, false, loop_mono_us(rig->loop) + 10 * MIN_US);
    loop_advance(rig->loop, &rig->clock, US_PER_S);
    gate_login_forget(rig->gate, "nvr", wrong); /* the next channel is edited */
    assert_true(gate_login_at(rig->gate, "nvr", wrong, false) > 0);
    gate_login_forget(rig->gate, "nvr", right);
    assert_int_equal(gate_login_at(rig->gate, "nvr", right, false), 0);
    gate_login_refused(rig->gate, "nvr", wrong, false, loop_mono_us(rig->loop) + 10 * MIN_US);
    loop_advance(rig->loop, &rig->clock, LOGINS_FRESH_US);
    gate_login_forget(rig->gate, "nvr", wrong); /* corrected at the device, and entered again */
    assert_int_equal(gate_login_at(rig->gate, "nvr", wrong, false), 0);
}

static void remembers_a_bounded_number_of_hosts(void **state)
{
    struct rig *rig = *state;
    uint64_t login = login_of("a", "1", 554);
    for (int i = 0; i < 3 * GATE_MAX_HOSTS; i++) {
        char host[32];
        snprintf(host, sizeof host, "host-%d", i);
        loop_advance(rig->loop, &rig->clock, US_PER_MS);
        gate_login_refused(rig->gate, host, login, false, loop_mono_us(rig->loop) + 10 * MIN_US);
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
        TEST(A8_a_login_that_worked_once_is_found_out_about_again),
        TEST(a_scout_holds_nobody_up_for_long),
        TEST(A8_a_proven_login_that_is_refused_is_in_doubt_for_all),
        TEST(A8_a_changed_password_does_not_lock_us_out),
        TEST(A8_one_mistake_in_all_channels_is_refused_once),
        TEST(remembers_a_bounded_number_of_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
