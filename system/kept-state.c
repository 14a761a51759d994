/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State of devices that is kept together with that of the CPUs. */
#include "system/kept-state.h"

#include "system/clock.h"

#include <string.h>

static GSList *states; /* of KeptState, borrowed */
static gint64 kept_at; /* ns of the virtual clock */

void kept_state_add(KeptState *state)
{
    states = g_slist_append(states, state);
}

void kept_state_remove(KeptState *state)
{
    states = g_slist_remove(states, state);
    g_clear_pointer(&state->kept, g_free);
}

void kept_state_keep(void)
{
    for (const GSList *item = states; item; item = item->next) {
        KeptState *state = item->data;
        g_free(state->kept);
        state->kept = g_memdup2(state->state, state->size);
    }
    kept_at = clock_now();
}

void kept_state_put_back(void)
{
    gint64 elapsed = clock_now() - kept_at;

    for (const GSList *item = states; item; item = item->next) {
        KeptState *state = item->data;
        if (state->kept) {
            memcpy(state->state, state->kept, state->size);
            state->put_back(state->opaque, elapsed);
        }
    }
}
