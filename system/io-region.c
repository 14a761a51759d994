/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * I/O regions.  Each address space has its regions in order of mapping, which
 * is their priority, and a view made of it: a sorted array of ranges that do
 * not overlap, each answered by one region.  Mapping adds to the view what is still
 * free; unmapping, which is rare, makes it anew.
 */
#include "system/memory-internal.h"

#include "util/fd.h"

#include <string.h>

typedef struct EventFd {
    uint64_t offset;
    uint64_t size;
    IoStore store; /* size 0: any */
    int fd;
    gboolean accelerated; /* the accelerator signals it */
} EventFd;

typedef struct Page {
    uint64_t offset;
    uint64_t size;
    uint8_t *host;
    gboolean accelerated; /* the guest reaches it by itself */
} Page;

struct IoRegion {
    guint references; /* the creator's, and one for each access under way */
    GObject *owner;   /* borrowed; referenced during each access */
    char *name;
    IoOps ops;
    gpointer opaque;
    uint64_t size;
    gboolean mapped;
    AddressSpace space;
    uint64_t base;
    GArray *event_fds; /* of EventFd by offset, or NULL */
    GArray *pages;     /* of Page, or NULL */
};

typedef struct Range {
    uint64_t first;
    uint64_t last; /* the last byte, so that a range can reach the end of the space */
    IoRegion *region;
} Range;

static struct {
    GPtrArray *regions; /* in order of mapping */
    GArray *view;       /* of Range */
} spaces[] = {[ADDRESS_SPACE_MEMORY] = {NULL, NULL}, [ADDRESS_SPACE_IO] = {NULL, NULL}};

static const IoAccelerator *accelerator; /* NULL: none */

/* --- the view --- */

/* Index of the first range that ends at @address or above. */
static guint view_search(const GArray *view, uint64_t address)
{
    guint low = 0;
    guint high = view->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (g_array_index(view, Range, middle).last < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Gives @region what nobody in the view has. */
static void view_add(GArray *view, IoRegion *region)
{
    uint64_t next = region->base;
    uint64_t last = region->base + (region->size - 1);
    guint index = view_search(view, next);

    while (TRUE) {
        Range *taken = index < view->len ? &g_array_index(view, Range, index) : NULL;

        if (!taken || taken->first > next) {
            Range range = {next, last, region};

            if (taken && taken->first <= last) {
                range.last = taken->first - 1;
            }
            g_array_insert_val(view, index, range);
        }
        /* Whatever stands at @index now covers @next. */
        if (g_array_index(view, Range, index).last >= last) {
            return;
        }
        next = g_array_index(view, Range, index).last + 1;
        index++;
    }
}

static void view_rebuild(AddressSpace space)
{
    g_array_set_size(spaces[space].view, 0);
    for (guint i = 0; i < spaces[space].regions->len; i++) {
        view_add(spaces[space].view, g_ptr_array_index(spaces[space].regions, i));
    }
}

/* The range that holds @address; without one NULL, and *@gap is the number of bytes up to the next,
 * at most @size. */
static Range *view_find(AddressSpace space, uint64_t address, uint64_t size, uint64_t *gap)
{
    GArray *view = spaces[space].view;
    guint index = view ? view_search(view, address) : 0;
    Range *range;

    *gap = size;
    if (!view || index == view->len) {
        return NULL;
    }
    range = &g_array_index(view, Range, index);
    if (range->first <= address) {
        return range;
    }
    *gap = MIN(size, range->first - address);
    return NULL;
}

void memory_foreach_io(AddressSpace space,
                       void (*visit)(uint64_t first, uint64_t last, const char *name,
                                     gpointer opaque),
                       gpointer opaque)
{
    const GArray *view = spaces[space].view;

    for (guint i = 0; view && i < view->len; i++) {
        const Range *range = &g_array_index(view, Range, i);
        visit(range->first, range->last, range->region->name, opaque);
    }
}

static uint64_t answered_bytes(const GArray *view, const IoRegion *region)
{
    uint64_t total = 0;

    for (guint i = view_search(view, region->base); i < view->len; i++) {
        const Range *range = &g_array_index(view, Range, i);
        if (range->first > region->base + (region->size - 1)) {
            break;
        }
        total += range->region == region ? range->last - range->first + 1 : 0;
    }
    return total;
}

void memory_foreach_region(AddressSpace space,
                           void (*visit)(const IoRegionView *region, gpointer opaque),
                           gpointer opaque)
{
    const GPtrArray *regions = spaces[space].regions;

    for (guint i = 0; regions && i < regions->len; i++) {
        const IoRegion *region = regions->pdata[i];
        const IoRegionView view = {
            .first = region->base,
            .last = region->base + (region->size - 1),
            .name = region->name,
            .owner = region->owner,
            .answered = answered_bytes(spaces[space].view, region),
        };
        visit(&view, opaque);
    }
}

/* --- regions --- */

IoRegion *io_region_new(GObject *owner, const char *name, const IoOps *ops, gpointer opaque,
                        uint64_t size)
{
    IoRegion *region = g_new0(IoRegion, 1);

    region->references = 1;
    region->owner = owner;
    region->name = g_strdup(name);
    region->ops = *ops;
    region->opaque = opaque;
    region->size = size;
    return region;
}

static void region_unref(IoRegion *region)
{
    if (--region->references > 0) {
        return;
    }
    if (region->event_fds) {
        g_array_unref(region->event_fds);
    }
    if (region->pages) {
        g_array_unref(region->pages);
    }
    g_free(region->name);
    g_free(region);
}

void io_region_free(IoRegion *region)
{
    io_region_unmap(region);
    region_unref(region);
}

/* --- event fds and pages of the accelerator --- */

void io_set_accelerator(const IoAccelerator *chosen)
{
    accelerator = chosen;
}

static const IoStore *store_of(const EventFd *event_fd)
{
    return event_fd->store.size ? &event_fd->store : NULL;
}

static void accelerate(const IoRegion *region, EventFd *event_fd)
{
    if (accelerator && region->mapped && !event_fd->accelerated) {
        event_fd->accelerated = accelerator->add_event_fd(
            region->space, region->base + event_fd->offset, store_of(event_fd), event_fd->fd);
    }
}

static void decelerate(const IoRegion *region, EventFd *event_fd)
{
    if (event_fd->accelerated) {
        event_fd->accelerated = FALSE;
        accelerator->remove_event_fd(region->space, region->base + event_fd->offset,
                                     store_of(event_fd), event_fd->fd);
    }
}

/* Not where another region answers: the accelerator's page would hide it. */
static gboolean answers_all(const IoRegion *region, uint64_t address, uint64_t size)
{
    uint64_t gap;
    const Range *range = view_find(region->space, address, size, &gap);

    return range && range->region == region && range->last - address >= size - 1;
}

static void accelerate_page(const IoRegion *region, Page *page)
{
    uint64_t address = region->base + page->offset;

    if (accelerator && accelerator->add_page && region->mapped && !page->accelerated &&
        answers_all(region, address, page->size)) {
        page->accelerated = accelerator->add_page(region->space, address, page->size, page->host);
    }
}

static void decelerate_page(const IoRegion *region, Page *page)
{
    if (page->accelerated) {
        page->accelerated = FALSE;
        accelerator->remove_page(region->space, region->base + page->offset);
    }
}

void io_region_map(IoRegion *region, AddressSpace space, uint64_t base)
{
    if (region->mapped && region->space == space && region->base == base) {
        return;
    }
    io_region_unmap(region);
    if (region->size == 0 || base + (region->size - 1) < base) {
        return;
    }
    region->mapped = TRUE;
    region->space = space;
    region->base = base;
    if (!spaces[space].regions) {
        spaces[space].regions = g_ptr_array_new();
        spaces[space].view = g_array_new(FALSE, FALSE, sizeof(Range));
    }
    g_ptr_array_add(spaces[space].regions, region);
    view_add(spaces[space].view, region);
    for (guint i = 0; region->event_fds && i < region->event_fds->len; i++) {
        accelerate(region, &g_array_index(region->event_fds, EventFd, i));
    }
    for (guint i = 0; region->pages && i < region->pages->len; i++) {
        accelerate_page(region, &g_array_index(region->pages, Page, i));
    }
}

void io_region_unmap(IoRegion *region)
{
    if (!region->mapped) {
        return;
    }
    for (guint i = 0; region->event_fds && i < region->event_fds->len; i++) {
        decelerate(region, &g_array_index(region->event_fds, EventFd, i));
    }
    for (guint i = 0; region->pages && i < region->pages->len; i++) {
        decelerate_page(region, &g_array_index(region->pages, Page, i));
    }
    region->mapped = FALSE;
    g_ptr_array_remove(spaces[region->space].regions, region);
    view_rebuild(region->space);
    if (spaces[region->space].regions->len == 0) {
        g_clear_pointer(&spaces[region->space].regions, g_ptr_array_unref);
        g_clear_pointer(&spaces[region->space].view, g_array_unref);
    }
}

gboolean io_region_is_mapped(const IoRegion *region)
{
    return region->mapped;
}

const char *io_region_name_within(AddressSpace space, uint64_t base, uint64_t size)
{
    uint64_t gap;
    const Range *range = view_find(space, base, size, &gap);

    if (!range && gap < size) {
        range = view_find(space, base + gap, size - gap, &gap);
    }
    return range ? range->region->name : NULL;
}

/* --- event fds --- */

/* Index of the first event fd that begins above @offset. */
static guint event_fd_search(const GArray *event_fds, uint64_t offset)
{
    guint low = 0;
    guint high = event_fds->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (g_array_index(event_fds, EventFd, middle).offset <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void add_event_fd(IoRegion *region, EventFd event_fd)
{
    accelerate(region, &event_fd);
    if (!region->event_fds) {
        region->event_fds = g_array_new(FALSE, FALSE, sizeof(EventFd));
    }
    g_array_insert_val(region->event_fds, event_fd_search(region->event_fds, event_fd.offset),
                       event_fd);
}

void io_region_add_event_fd(IoRegion *region, uint64_t offset, unsigned size, int fd)
{
    add_event_fd(region, (EventFd){.offset = offset, .size = size, .fd = fd});
}

void io_region_add_store_fd(IoRegion *region, uint64_t offset, IoStore store, int fd)
{
    add_event_fd(region, (EventFd){offset, store.size, store, fd, FALSE});
}

void io_region_remove_event_fd(IoRegion *region, int fd)
{
    for (guint i = region->event_fds ? region->event_fds->len : 0; i-- > 0;) {
        if (g_array_index(region->event_fds, EventFd, i).fd == fd) {
            decelerate(region, &g_array_index(region->event_fds, EventFd, i));
            g_array_remove_index(region->event_fds, i);
        }
    }
}

static gboolean is_for(const EventFd *event_fd, uint64_t offset, IoStore store)
{
    if (event_fd->store.size) {
        return event_fd->offset == offset && event_fd->store.size == store.size &&
               event_fd->store.value == store.value;
    }
    return offset - event_fd->offset < event_fd->size;
}

/* Those that begin last at @offset or below are looked at; ranges do not overlap. */
static gboolean signal_event_fd(IoRegion *region, uint64_t offset, IoStore store)
{
    guint index = region->event_fds ? event_fd_search(region->event_fds, offset) : 0;
    uint64_t begin = index ? g_array_index(region->event_fds, EventFd, index - 1).offset : 0;

    while (index-- > 0) {
        const EventFd *event_fd = &g_array_index(region->event_fds, EventFd, index);
        if (event_fd->offset != begin) {
            return FALSE;
        }
        if (is_for(event_fd, offset, store)) {
            event_fd_signal_shared(event_fd->fd);
            return TRUE;
        }
    }
    return FALSE;
}

/* --- pages --- */

void io_region_add_page(IoRegion *region, uint64_t offset, uint64_t size, void *host)
{
    Page page = {.offset = offset, .size = size, .host = host};

    accelerate_page(region, &page);
    if (!region->pages) {
        region->pages = g_array_new(FALSE, FALSE, sizeof(Page));
    }
    g_array_append_val(region->pages, page);
}

void io_region_remove_page(IoRegion *region, uint64_t offset)
{
    for (guint i = 0; region->pages && i < region->pages->len; i++) {
        Page *page = &g_array_index(region->pages, Page, i);

        if (page->offset == offset) {
            decelerate_page(region, page);
            g_array_remove_index_fast(region->pages, i);
            return;
        }
    }
}

/* Host address of the byte at @offset, NULL: no page is there. */
static uint8_t *page_at(const IoRegion *region, uint64_t offset)
{
    for (guint i = 0; region->pages && i < region->pages->len; i++) {
        const Page *page = &g_array_index(region->pages, Page, i);

        if (offset - page->offset < page->size) {
            return page->host + (offset - page->offset);
        }
    }
    return NULL;
}

/* One access of the guest's is one access there, because a device may be behind it. */
static uint64_t page_load(const uint8_t *host, unsigned piece)
{
    switch (piece) {
    case 1:
        return __atomic_load_n(host, __ATOMIC_RELAXED);
    case 2:
        return GUINT16_FROM_LE(
            __atomic_load_n((const uint16_t *)(const void *)host, __ATOMIC_RELAXED));
    case 4:
        return GUINT32_FROM_LE(
            __atomic_load_n((const uint32_t *)(const void *)host, __ATOMIC_RELAXED));
    default:
        return GUINT64_FROM_LE(
            __atomic_load_n((const uint64_t *)(const void *)host, __ATOMIC_RELAXED));
    }
}

void io_page_store(void *host, uint64_t value, unsigned size)
{
    switch (size) {
    case 1:
        __atomic_store_n((uint8_t *)host, (uint8_t)value, __ATOMIC_RELEASE);
        break;
    case 2:
        __atomic_store_n((uint16_t *)host, GUINT16_TO_LE(value), __ATOMIC_RELEASE);
        break;
    case 4:
        __atomic_store_n((uint32_t *)host, GUINT32_TO_LE(value), __ATOMIC_RELEASE);
        break;
    default:
        __atomic_store_n((uint64_t *)host, GUINT64_TO_LE(value), __ATOMIC_RELEASE);
        break;
    }
}

/* --- access --- */

static unsigned max_access(const IoRegion *region)
{
    if (region->ops.max_access) {
        return region->ops.max_access;
    }
    return region->space == ADDRESS_SPACE_IO ? 4 : 8;
}

/* The largest naturally aligned piece at @offset that the region takes. */
static unsigned piece_size(const IoRegion *region, uint64_t offset, uint64_t size)
{
    unsigned piece = max_access(region);

    while (piece > size || offset % piece != 0) {
        piece /= 2;
    }
    return piece;
}

/* Bytes from @address to the end of @range, at most @size. */
static uint64_t range_span(const Range *range, uint64_t address, uint64_t size)
{
    return range->last - address < size ? range->last - address + 1 : size;
}

static void region_read(IoRegion *region, uint64_t offset, uint8_t *bytes, unsigned piece)
{
    unsigned width = MAX(piece, region->ops.min_access);
    uint64_t aligned = offset - offset % width;
    const uint8_t *page = page_at(region, offset);
    uint64_t value = 0;

    if (page) {
        aligned = offset;
        value = page_load(page, piece);
    } else if (region->ops.read && width <= region->size && aligned <= region->size - width) {
        value = region->ops.read(region->opaque, aligned, width);
    }
    value = GUINT64_TO_LE(value >> (8 * (offset - aligned)));
    memcpy(bytes, &value, piece);
}

static void region_write(IoRegion *region, uint64_t offset, const uint8_t *bytes, unsigned piece)
{
    uint8_t *page = page_at(region, offset);
    uint64_t value = 0;

    memcpy(&value, bytes, piece);
    value = GUINT64_FROM_LE(value);
    if (page) {
        io_page_store(page, value, piece);
    } else if (!signal_event_fd(region, offset, (IoStore){piece, value}) &&
               piece >= region->ops.min_access && region->ops.write) {
        region->ops.write(region->opaque, offset, value, piece);
    }
}

/* One access of a region: the region and its owner stay until it has ended. */
typedef struct Access {
    IoRegion *region;
    GObject *owner;
    uint64_t offset; /* in the region */
    unsigned piece;  /* bytes of it that this access is about */
} Access;

/* FALSE if no region answers at @address: *@gap bytes of nothing begin there. */
static gboolean access_begin(Access *access, AddressSpace space, uint64_t address, uint64_t size,
                             uint64_t *gap)
{
    Range *range = view_find(space, address, size, gap);

    if (!range) {
        return FALSE;
    }
    access->region = range->region;
    access->owner = access->region->owner;
    access->offset = address - access->region->base;
    access->piece = piece_size(access->region, access->offset, range_span(range, address, size));
    access->region->references++;
    if (access->owner) {
        g_object_ref(access->owner);
    }
    return TRUE;
}

static void access_end(const Access *access)
{
    region_unref(access->region);
    if (access->owner) {
        g_object_unref(access->owner); /* last: this may end the owner, who frees its regions */
    }
}

uint64_t io_region_read(AddressSpace space, uint64_t address, uint8_t *bytes, uint64_t size)
{
    uint64_t gap;
    Access access;

    if (!access_begin(&access, space, address, size, &gap)) {
        memset(bytes, space == ADDRESS_SPACE_IO ? 0xff : 0, gap);
        return gap;
    }
    region_read(access.region, access.offset, bytes, access.piece);
    access_end(&access);
    return access.piece;
}

uint64_t io_region_write(AddressSpace space, uint64_t address, const uint8_t *bytes, uint64_t size)
{
    uint64_t gap;
    Access access;

    if (!access_begin(&access, space, address, size, &gap)) {
        return gap;
    }
    region_write(access.region, access.offset, bytes, access.piece);
    access_end(&access);
    return access.piece;
}
