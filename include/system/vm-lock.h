/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one lock.  It guards device models, the object tree and the memory map.
 * The main loop holds it except while it polls; a vCPU thread (under qtest:
 * the thread of the qtest connection) takes it for an access; nobody waits
 * for a peer while holding it.  Not recursive.
 */
#ifndef SYSTEM_VM_LOCK_H
#define SYSTEM_VM_LOCK_H

#include <glib.h>

void vm_lock(void);
void vm_unlock(void);

/* TRUE if the calling thread holds it.  For assertions about our own code only. */
gboolean vm_lock_held(void);

#endif
