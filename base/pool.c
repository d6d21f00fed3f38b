#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct job {
    loop_fn *work;
    struct loop *home;
    loop_fn *done;
    void *ctx;
};

struct pool {
    /* set at create, then const */
    pthread_t *threads;
    int n_threads;
    size_t max_waiting;

    /* under lock; a leaf: nothing is called while it is held */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *ring; /* max_waiting entries, grown on demand */
    size_t cap, head, n;
    bool is_closing;
    int n_alive;   /* threads that use this */
    int n_posting; /* of them */
    loop_fn *drop; /* it was abandoned; NULL = not */
    pthread_cond_t posted;
};

static bool next_job(struct pool *pool, struct job *out)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->n == 0 && !pool->is_closing)
        pthread_cond_wait(&pool->wake, &pool->lock);
    bool has_job = pool->n > 0;
    if (has_job) {
        *out = pool->ring[pool->head];
        pool->head = (pool->head + 1) % pool->cap;
        pool->n--;
    }
    pthread_mutex_unlock(&pool->lock);
    return has_job;
}

static void free_pool(struct pool *pool)
{
    pthread_cond_destroy(&pool->wake);
    pthread_cond_destroy(&pool->posted);
    pthread_mutex_destroy(&pool->lock);
    free(pool->ring);
    free(pool->threads);
    free(pool);
}

/* NULL: done may be posted, and the loop stays until that is over. */
static loop_fn *begin_post(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    loop_fn *drop = pool->drop;
    pool->n_posting += drop == NULL;
    pthread_mutex_unlock(&pool->lock);
    return drop;
}

static void end_post(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->n_posting--;
    pthread_cond_signal(&pool->posted);
    pthread_mutex_unlock(&pool->lock);
}

static void run(struct pool *pool, const struct job *job)
{
    job->work(job->ctx);
    loop_fn *drop = begin_post(pool);
    if (drop) {
        drop(job->ctx);
        return;
    }
    if (job->home && job->done)
        loop_post(job->home, job->done, job->ctx);
    end_post(pool);
}

static void *thread_main(void *arg)
{
    struct pool *pool = arg;
    struct job job;
    while (next_job(pool, &job))
        run(pool, &job);
    pthread_mutex_lock(&pool->lock);
    bool is_last = --pool->n_alive == 0 && pool->drop;
    pthread_mutex_unlock(&pool->lock);
    if (is_last) /* nobody joins */
        free_pool(pool);
    return NULL;
}

struct pool *pool_create(const struct pool_params *params)
{
    struct pool *pool = xcalloc(1, sizeof *pool);
    pool->n_threads = params && params->n_threads > 0 ? params->n_threads : 4;
    pool->max_waiting =
        params && params->max_waiting > 0 ? (size_t)params->max_waiting : (size_t)4096;
    pool->threads = xcalloc((size_t)pool->n_threads, sizeof *pool->threads);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->posted, NULL);
    pool->n_alive = pool->n_threads;

    /* Signals are the main thread's business. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < pool->n_threads; i++) {
        if (pthread_create(&pool->threads[i], NULL, thread_main, pool) != 0) {
            fputs("cannot create a thread\n", stderr);
            abort();
        }
        char name[16];
        snprintf(name, sizeof name, "%.10s/%d", params && params->name ? params->name : "pool",
                 i % 1000);
        pthread_setname_np(pool->threads[i], name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pool;
}

void pool_destroy(struct pool **poolp)
{
    struct pool *pool = *poolp;
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->is_closing = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    free_pool(pool);
    *poolp = NULL;
}

void pool_abandon(struct pool **poolp, loop_fn *drop)
{
    struct pool *pool = *poolp;
    *poolp = NULL;
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->n_alive++; /* this thread, too, until it is done here */
    struct job *ring = pool->ring;
    size_t cap = pool->cap, head = pool->head, n = pool->n;
    pool->ring = NULL;
    pool->cap = pool->n = 0;
    pool->is_closing = true;
    pool->drop = drop;
    while (pool->n_posting > 0)
        pthread_cond_wait(&pool->posted, &pool->lock);
    for (int i = 0; i < pool->n_threads; i++)
        pthread_detach(pool->threads[i]);
    pthread_cond_broadcast(&pool->wake);
    bool is_last = --pool->n_alive == 0;
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < n; i++)
        drop(ring[(head + i) % cap].ctx);
    free(ring);
    if (is_last)
        free_pool(pool);
}

static void grow(struct pool *pool)
{
    size_t cap = MIN(pool->cap ? pool->cap * 2 : 16, pool->max_waiting);
    struct job *ring = xcalloc(cap, sizeof *ring);
    for (size_t i = 0; i < pool->n; i++)
        ring[i] = pool->ring[(pool->head + i) % pool->cap];
    free(pool->ring);
    pool->ring = ring;
    pool->cap = cap;
    pool->head = 0;
}

bool pool_submit(struct pool *pool, loop_fn *work, struct loop *home, loop_fn *done, void *ctx)
{
    bool is_taken = false;
    pthread_mutex_lock(&pool->lock);
    if (pool->n < pool->max_waiting && !pool->is_closing) {
        if (pool->n == pool->cap)
            grow(pool);
        pool->ring[(pool->head + pool->n) % pool->cap] = (struct job){work, home, done, ctx};
        pool->n++;
        is_taken = true;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return is_taken;
}
