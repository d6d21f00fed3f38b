#include "ingest/sound_doubt.h"

#include "base/mem.h"
#include "base/str.h"

#define ENOUGH_PROOFS 2

void sound_doubt_failed(struct sound_doubt *d, enum sound_blame blame, const char *text)
{
    if (blame == SOUND_INNOCENT)
        return;
    d->blame = MIN(d->blame + (int)blame, (int)SOUND_TO_BLAME);
    str_copy(d->text, sizeof d->text, text);
}

void sound_doubt_settle(struct sound_doubt *d, const char *text)
{
    d->n_proofs = ENOUGH_PROOFS;
    str_copy(d->text, sizeof d->text, text);
}

bool sound_doubt_spares(const struct sound_doubt *d)
{
    return d->blame >= SOUND_TO_BLAME || d->n_proofs >= ENOUGH_PROOFS;
}

void sound_doubt_use_up(struct sound_doubt *d)
{
    d->blame = 0;
}

void sound_doubt_played(struct sound_doubt *d, bool with_sound)
{
    if (with_sound)
        *d = (struct sound_doubt){0};
    else
        d->n_proofs = MIN(d->n_proofs + 1, ENOUGH_PROOFS);
}

void sound_doubt_excuse(struct sound_doubt *d)
{
    d->blame = 0;
}
