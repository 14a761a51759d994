/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scripted listeners of guest memory that answer at once, later from the main loop, or from a
 * thread of their own; each keeps its own table of what it has, which must equal the map whenever
 * no transaction runs.  What the transactions say is kept in one trail.
 */
#ifndef UNIT_TRANSACTION_FIXTURE_H
#define UNIT_TRANSACTION_FIXTURE_H

#include "system/memory.h"

#define TRANSACTION_SIZE 0x10000 /* bytes of each section */

typedef enum { AT_ONCE, LATER, THREAD, NEVER } FakeAnswer;

typedef struct FakeListener {
    MemoryListener listener;
    FakeAnswer answer;
    gboolean refuse; /* the next prepare */
    gboolean refuse_check;
    guint prepared, aborted, committed;
    uint64_t generation; /* base of the last prepare, 0 after abort */
    GHashTable *table;   /* guest addresses that the peer has */
    GAsyncQueue *jobs;   /* THREAD */
    GThread *thread;
    gint owes_refusal; /* atomic: what the answer under way will be */
} FakeListener;

/* What every section holds. */
extern RamBlock *transaction_block;

/* An empty map and trail. */
void transaction_begin(void);
/* Nothing of what was added may be left behind. */
void transaction_end(void);

/* As a session does: copies the table and registers under one hold of the lock. */
FakeListener *fake_new(const char *name, FakeAnswer answer_kind);
void fake_free(FakeListener *fake);
/* The answer that it owes, for NEVER. */
void fake_answer(gpointer fake);
/* Its table equals the map. */
void fake_check_table(FakeListener *fake);

/* Writes "NAME:ok " or "NAME:ERROR " into the trail; @opaque: the name. */
void transaction_done(gpointer opaque, const GError *error);
void transaction_add(uint64_t address, const char *name);
void transaction_remove(uint64_t address, const char *name);
/* Runs the loop until the trail is @expected, or fails after 10 s; empties it. */
void transaction_expect(const char *expected);
/* To the block of all sections. */
guint transaction_references(void);

#endif
