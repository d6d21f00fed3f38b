#include "ingest/allowance.h"

#include <assert.h>
#include <stddef.h>

void allowance_init(struct allowance *a, int n_allowed)
{
    a->n_allowed = n_allowed;
    atomic_init(&a->n_taken, 0);
}

bool allowance_take(struct allowance *a, int n)
{
    if (a == NULL)
        return true;
    int taken = atomic_load(&a->n_taken);
    do {
        if (n > a->n_allowed - taken)
            return false;
    } while (!atomic_compare_exchange_weak(&a->n_taken, &taken, taken + n));
    return true;
}

void allowance_give(struct allowance *a, int n)
{
    if (a == NULL || n == 0)
        return;
    int before = atomic_fetch_sub(&a->n_taken, n);
    assert(before >= n);
    (void)before;
}
