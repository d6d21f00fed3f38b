#include "walks.h"

struct numbers numbers_from_to(int64_t from, int64_t to)
{
    struct numbers all = {0};
    while (from < to)
        all.list[all.n++] = from++;
    return all;
}

void numbers_append(struct numbers *all, int64_t from, int64_t to)
{
    while (from < to)
        all->list[all->n++] = from++;
}

struct reader *open_reader(struct rig *rig)
{
    return reader_create(&(struct reader_params){
        .source = storage_source(rig->storage), .camera_id = "cam", .stream = "main"});
}

int64_t number_of(const struct packet *pkt)
{
    int64_t number;
    memcpy(&number, pkt->data, sizeof number);
    return number;
}

int64_t number_at(struct reader *r)
{
    struct packet *pkt = NULL;
    struct err err = {0};
    if (reader_picture(r, &pkt, &err) < 0)
        fail_msg("%s", err.msg);
    int64_t number = number_of(pkt);
    assert_int_equal(pkt->wall_us, reader_position(r)->wall_us);
    packet_unref(&pkt);
    return number;
}

/* [reader I2] From one picture to the next, or back. */
static void check_gap(const struct reader_at *at, int64_t last_us, int64_t numbers, int by)
{
    int64_t forward_us = (at->wall_us - last_us) * by;
    bool is_set_back = forward_us <= 0;
    bool is_missing = numbers != by || forward_us > US_PER_S;
    if (!is_set_back && is_missing != (at->gap.to_us != 0))
        fail_msg("%lld us and %lld pictures on: %s", (long long)forward_us, (long long)numbers,
                 is_missing ? "no gap is told" : "no gap is there");
}

void walk(struct reader *r, const struct numbers *all, size_t at, step_fn *step, int by)
{
    bool by_picture = step == reader_next || step == reader_prev;
    for (;; at += (size_t)by) {
        int64_t number = number_at(r);
        if (number != all->list[at])
            fail_msg("picture %lld instead of %lld", (long long)number, (long long)all->list[at]);
        int64_t wall_us = reader_position(r)->wall_us;
        int rc = step(r, NULL);
        assert_true(rc >= 0);
        bool is_end = by > 0 ? at + 1 == all->n : at == 0;
        assert_int_equal(rc == READER_FOUND, !is_end);
        if (is_end) { /* it stays where it was: [reader I3] */
            assert_int_equal(reader_position(r)->wall_us, wall_us);
            assert_int_equal(number_at(r), number);
            return;
        }
        if (by_picture)
            check_gap(reader_position(r), wall_us, number_at(r) - number, by);
    }
}

static size_t index_of(const struct numbers *all, int64_t number)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i] == number)
            return i;
    fail_msg("picture %lld should not be there", (long long)number);
    return 0;
}

void read_all(struct reader *r, const struct numbers *all)
{
    struct reader_item item;
    int64_t from_us = RIG_START_US - 86400 * US_PER_S;
    assert_int_equal(reader_seek(r, from_us, READER_AT, NULL), READER_FOUND);
    for (size_t i = 0; i < all->n; i++) {
        assert_int_equal(reader_read(r, &(struct reader_want){0}, &item, NULL), READER_FOUND);
        assert_int_equal(number_of(item.pkt), all->list[i]);
        packet_unref(&item.pkt);
    }
    assert_true(reader_read(r, &(struct reader_want){0}, &item, NULL) != READER_FOUND);
}

void check_walks(struct rig *rig, const struct numbers *all)
{
    struct reader *r = open_reader(rig);
    int64_t from_us = RIG_START_US - 86400 * US_PER_S, to_us = RIG_START_US + 7 * 86400 * US_PER_S;
    assert_int_equal(reader_seek(r, from_us, READER_AT, NULL), READER_FOUND);
    walk(r, all, 0, reader_next, 1);
    walk(r, all, all->n - 1, reader_prev, -1);
    assert_int_equal(reader_seek(r, to_us, READER_BEFORE, NULL), READER_FOUND);
    walk(r, all, all->n - 1, reader_prev, -1);
    for (int64_t at_us = RIG_START_US - US_PER_S; at_us < rig->wall_us; at_us += 710000) {
        assert_int_equal(reader_seek(r, at_us, READER_AT, NULL) >= 0, true);
        size_t at = index_of(all, number_at(r));
        walk(r, all, at, at_us % 2 != 0 ? reader_next : reader_prev, at_us % 2 != 0 ? 1 : -1);
    }
    read_all(r, all);
    reader_destroy(&r);
}

void expect_gap(struct reader *r, int64_t from_us, int64_t to_us, const char *cause)
{
    const struct sample_gap *gap = &reader_position(r)->gap;
    assert_int_equal(gap->from_us, RIG_START_US + from_us);
    assert_int_equal(gap->to_us, RIG_START_US + to_us);
    assert_string_equal(gap->cause, cause);
}
