/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest-physical memory map: RAM sections, I/O regions, the checked
 * accessor, and transactions that change RAM everywhere or nowhere.
 * Everything is under the VM lock unless it says otherwise.
 */
#ifndef SYSTEM_MEMORY_H
#define SYSTEM_MEMORY_H

#include "system/ram-block.h"

#include <glib-object.h>
#include <stdint.h>

/* --- RAM --- */

/* A range of guest RAM; sections never overlap and are never merged. */
typedef struct MemorySection {
    uint64_t guest_address; /* bytes, guest physical */
    uint64_t size;          /* bytes, not 0; guest_address + size does not wrap */
    RamBlock *block;        /* whoever stores a section holds a reference */
    uint64_t
        block_offset; /* bytes from block->host_address; and from block->fd_offset in the file */
} MemorySection;

/* Host virtual address of the section's first byte. */
static inline void *memory_section_host(const MemorySection *section)
{
    return (char *)section->block->host_address + section->block_offset;
}

/*
 * Each committed change makes a new generation; numbers may be skipped.  A listener that has seen
 * generation G only needs the transaction that leads from G to G + 1.
 */
uint64_t memory_generation(void);

/* Number of RAM sections now. */
guint memory_section_count(void);

/* A new GArray of MemorySection sorted by guest address, each with a reference;
 * memory_sections_free(). */
GArray *memory_sections_copy(uint64_t *generation);
void memory_sections_free(GArray *sections);

/* The section that holds @address, or NULL.  O(log n).  Borrowed, valid while the lock is held. */
const MemorySection *memory_section_find(uint64_t address);

/* TRUE if [@address, @address + @size) touches no RAM section. O(log n). */
gboolean memory_range_is_free(uint64_t address, uint64_t size);

/* --- transactions --- */

typedef enum { MEMORY_ADD, MEMORY_REMOVE } MemoryChange;

/*
 * A change of one section.  States: checked, prepared at all listeners at
 * once, committed or aborted.  One runs at a time; further ones queue in order.
 * Valid until the listener has answered, and during commit; a listener that leaves before it
 * answered must not look at it any more.
 */
typedef struct MemoryTransaction {
    MemoryChange change;
    MemorySection section;
    uint64_t base_generation; /* listeners at this generation can apply the change alone */
    /*
     * g_get_monotonic_time() when waiting ends: a listener whose peer has not answered by then
     * breaks the connection and reports an error.  prepare and abort have one each.
     */
    gint64 deadline;
} MemoryTransaction;

/*
 * A listener is told of every change of RAM.  All hooks are called under the
 * VM lock and return at once; those that start work report its end with
 * memory_listener_done(), exactly once for each call, from any thread, also
 * within the hook itself.
 */
typedef struct MemoryListener MemoryListener;
struct MemoryListener {
    const char *name; /* for traces */
    gpointer opaque;
    /*
     * Before anything is sent: could a table of @sections sections with this one in it be taken?
     * FALSE with @error naming the device that is the limit.  May be NULL.
     */
    gboolean (*check_add)(MemoryListener *listener, const MemorySection *section, guint sections,
                          GError **error);
    /*
     * Brings the peer to the table with the change.  For MEMORY_ADD an error fails the
     * transaction; for MEMORY_REMOVE the map has changed already and errors are only logged by the
     * listener.
     */
    void (*prepare)(MemoryListener *listener, const MemoryTransaction *transaction);
    /* MEMORY_ADD failed elsewhere: takes the change back. Ends with memory_listener_done(). */
    void (*abort)(MemoryListener *listener, const MemoryTransaction *transaction);
    /* The change is in force; memory_generation() has grown. Nothing to report. May be NULL. */
    void (*commit)(MemoryListener *listener, const MemoryTransaction *transaction);
    GList link;             /* private */
    uint64_t private_epoch; /* private */
    guint private_state;    /* private */
};

/*
 * From now on @listener takes part.  It must know the table as it is now: copy it and register
 * without releasing the VM lock in between.  Registered while memory is being added it is
 * prepared too before that commits; a removal under way has left the table already.
 * It is never called back from within this call.
 */
void memory_listener_add(MemoryListener *listener);

/*
 * @listener takes part no more.  Work it still owes to a running transaction
 * counts as done without error, and its memory_listener_done() is ignored; the struct must not be
 * registered again before that call was made or never will be.
 */
void memory_listener_remove(MemoryListener *listener);

/*
 * Ends what prepare or abort began; @error (ownership taken, NULL: success)
 * names device, request, region and reason. Any thread, with or without the VM lock.
 *
 * A listener that has not called it MEMORY_OVERDUE_SECONDS seconds after its deadline has broken
 * its promise: the transaction ends as if it had failed, and memory cannot be added until the call
 * comes or the listener leaves.  What its peer may still use stays alive by the listener's own
 * references.
 */
void memory_listener_done(MemoryListener *listener, GError *error);

/*
 * Called in the main thread with the VM lock when a transaction has ended: @error NULL if it
 * committed.  For MEMORY_REMOVE: when every listener has let go.  @error is owned by the caller of
 * @done.
 */
typedef void MemoryDone(gpointer opaque, const GError *error);

/*
 * Adds or removes RAM as a transaction; @section's block gains a reference for the map.
 * The range must be free (add) or be exactly a section (remove).  The checks that need no
 * peer are made at once: FALSE with @error, and @done is never called.  Otherwise @done is called
 * exactly once, never from within this call.
 */
gboolean memory_add(const MemorySection *section, MemoryDone *done, gpointer opaque,
                    GError **error);
gboolean memory_remove(uint64_t guest_address, MemoryDone *done, gpointer opaque, GError **error);

/*
 * Adds a section while no listener exists yet (machine creation): no transaction, no wait.
 */
gboolean memory_add_boot(const MemorySection *section, GError **error);

/* The accelerator's part of a transaction: between the peers' consent and the map. All may be NULL.
 */
typedef struct MemoryAccelerator {
    guint (*free_slots)(void); /* how many more sections it takes; NULL: unlimited */
    gboolean (*add)(const MemorySection *section, GError **error);
    void (*remove)(const MemorySection *section);
    /* From now on the pages that a guest writes to are noted, of all sections, also of later ones.
     */
    gboolean (*log_start)(GError **error);
    void (*log_stop)(void);
    /* A bit for each page of the section written to since the last call, then none; g_free(). */
    uint64_t *(*log_take)(const MemorySection *section, GError **error);
} MemoryAccelerator;
/* @accelerator is kept, not copied; NULL: none.  Before guest RAM changes. */
void memory_set_accelerator(const MemoryAccelerator *accelerator);

/*
 * Dirty pages: which ones the guest's CPUs have written to since the log was started, or last
 * taken. What devices write is not in it: their backends have logs of their own.  FALSE or NULL
 * with @error under an accelerator that notes nothing, or fails to.
 */
#define MEMORY_LOG_PAGE UINT64_C(4096)
gboolean memory_log_start(GError **error);
void memory_log_stop(void);
gboolean memory_log_is_on(void);
/* A bit for each page of @section, lowest first; g_free(). */
uint64_t *memory_log_take(const MemorySection *section, GError **error);

/* Seconds that listeners have for their answers (default 10). */
#define MEMORY_TRANSACTION_SECONDS 10
#define MEMORY_OVERDUE_SECONDS 5

/*
 * Ends everything at exit: drops the map's references.  Transactions that have not ended are
 * dropped without done; listeners must have left.
 */
void memory_clear(void);

/* --- access --- */

typedef enum { MEMORY_READ, MEMORY_WRITE } MemoryDirection;

/*
 * The one way to guest RAM from a device model: the host address of
 * [@address, @address + @size), which must lie in one section.  NULL with
 * @error for anything else; never aborts. @size 0 is an error.  The pointer is
 * valid while the lock is held.  The bytes may change under the reader: copy, then check.
 */
void *memory_pointer(uint64_t address, uint64_t size, MemoryDirection direction, GError **error);

/*
 * Copies RAM, crossing sections.  FALSE if any byte is outside RAM or read-only (then nothing is
 * copied), or if its file was truncated by somebody else.  Only these copies and
 * memory_read/memory_write are safe against that; memory_pointer() is not (RamBlock.may_shrink).
 */
gboolean memory_copy_in(void *destination, uint64_t address, uint64_t size);
gboolean memory_copy_out(uint64_t address, const void *source, uint64_t size);

/*
 * What a CPU does: any mix of RAM and I/O regions.  Unassigned bytes read as 0
 * in memory space and as all ones in port space; stores there vanish.
 */
typedef enum { ADDRESS_SPACE_MEMORY, ADDRESS_SPACE_IO } AddressSpace;
void memory_read(AddressSpace space, uint64_t address, void *bytes, uint64_t size);
void memory_write(AddressSpace space, uint64_t address, const void *bytes, uint64_t size);

/* --- I/O regions --- */

/*
 * Handlers of an I/O region.  @offset is relative to the region, @size is 1, 2, 4 or 8 and
 * within [min_access, max_access]; larger and smaller guest accesses are split or widened:
 * a narrower read takes the wanted bytes, a narrower write is passed on as it is
 * when min_access is 1 and dropped otherwise.  Little-endian values.  A handler may release and
 * retake the VM lock; its owner is kept alive meanwhile.
 */
typedef struct IoOps {
    uint64_t (*read)(gpointer opaque, uint64_t offset, unsigned size);
    void (*write)(gpointer opaque, uint64_t offset, uint64_t value, unsigned size);
    unsigned min_access; /* 0: 1 */
    unsigned max_access; /* 0: 8 in memory space, 4 in port space */
} IoOps;

typedef struct IoRegion IoRegion;

/* @owner (may be NULL) is referenced during each access.  The region is not mapped yet. */
IoRegion *io_region_new(GObject *owner, const char *name, const IoOps *ops, gpointer opaque,
                        uint64_t size);
/* Unmaps and frees; may be called within a handler of the same region. */
void io_region_free(IoRegion *region);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IoRegion, io_region_free)

/*
 * Maps at @base or moves there.  RAM hides I/O; among overlapping I/O regions the one
 * mapped first answers.  A range that wraps is left unmapped.
 */
void io_region_map(IoRegion *region, AddressSpace space, uint64_t base);
void io_region_unmap(IoRegion *region);
gboolean io_region_is_mapped(const IoRegion *region);
/* The name of a region that answers within [@base, @base + @size), or NULL. Borrowed. */
const char *io_region_name_within(AddressSpace space, uint64_t base, uint64_t size);

/* An I/O region as it was mapped. */
typedef struct IoRegionView {
    uint64_t first, last;
    const char *name;
    GObject *owner;    /* NULL: none */
    uint64_t answered; /* bytes that no region mapped before it answers instead; RAM is not looked
                        * at */
} IoRegionView;

/* Calls @visit for each region of @space, in order of mapping. */
void memory_foreach_region(AddressSpace space,
                           void (*visit)(const IoRegionView *region, gpointer opaque),
                           gpointer opaque);

/* Calls @visit for each range of @space that a region answers, by address: what overlaps is told
 * once.  RAM that hides a range is not looked at. */
void memory_foreach_io(AddressSpace space,
                       void (*visit)(uint64_t first, uint64_t last, const char *name,
                                     gpointer opaque),
                       gpointer opaque);

/*
 * A store of any size within [@offset, @offset + @size) signals @fd instead of calling
 * the handler: KVM's ioeventfd, done by software under qtest.  @fd stays the caller's.
 */
void io_region_add_event_fd(IoRegion *region, uint64_t offset, unsigned size, int fd);
/* One store out of all those that can go to an address. */
typedef struct IoStore {
    unsigned size; /* bytes: 1, 2, 4 or 8 */
    uint64_t value;
} IoStore;
/* The same of @store at exactly @offset; other stores there go to the handler, or to other event
 * fds. */
void io_region_add_store_fd(IoRegion *region, uint64_t offset, IoStore store, int fd);
/* Forgets all that was added with @fd. */
void io_region_remove_event_fd(IoRegion *region, int fd);
/*
 * Loads and stores within [@offset, @offset + @size) go to the memory at @host, ahead of event fds
 * and the handler: a device's page that the guest reaches without us.  All three are multiples of
 * the page size, pages do not overlap.  @host stays the caller's, who keeps it until the removal.
 */
void io_region_add_page(IoRegion *region, uint64_t offset, uint64_t size, void *host);
/* A store of 1, 2, 4 or 8 bytes as a guest makes it to such a page: in one piece, behind whatever
 * was stored before. */
void io_page_store(void *host, uint64_t value, unsigned size);
/* The page at @offset; nothing if there is none. */
void io_region_remove_page(IoRegion *region, uint64_t offset);

/*
 * An accelerator that signals event fds without leaving the guest (KVM: ioeventfd).  @store: the
 * one store at @address that counts; NULL: a store of any size.  add_page puts memory at an address
 * (KVM: a slot that is no guest RAM); may be NULL.  What they refuse is done by software.  VM lock
 * held.
 */
typedef struct IoAccelerator {
    gboolean (*add_event_fd)(AddressSpace space, uint64_t address, const IoStore *store, int fd);
    void (*remove_event_fd)(AddressSpace space, uint64_t address, const IoStore *store, int fd);
    gboolean (*add_page)(AddressSpace space, uint64_t address, uint64_t size, void *host);
    void (*remove_page)(AddressSpace space, uint64_t address);
} IoAccelerator;
/* @accelerator is kept, not copied; NULL: none.  Before regions are mapped. */
void io_set_accelerator(const IoAccelerator *accelerator);

#endif
