/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file system (virtio 1.2, 5.11): a tree of the back-end's host, listed once and never written. A
 * node's number is its place in that list, so that a back-end which takes the place of another one
 * knows whatever that one has told.  Requests and answers are those of <linux/fuse.h>.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { HIGH_PRIORITY, REQUESTS, QUEUES };

#define READ_MOST (1u << 20) /* bytes of one answer */
#define VALID 3600           /* seconds: nothing changes */

typedef struct Node {
    char *path;
    const char *name; /* the end of its path */
    uint64_t parent;
    struct stat status;
} Node;

typedef struct Tree {
    GPtrArray *nodes; /* number FUSE_ROOT_ID comes first */
} Tree;

typedef struct Request {
    const VhostUserElement *element;
    struct fuse_in_header header;
    const Node *node;   /* NULL: of the whole file system */
    GByteArray *answer; /* what follows its header */
} Request;

/* Carries out a request and returns 0 or a negative errno. */
typedef int (*Serve)(const Tree *tree, const Request *request);

/* --- the tree --- */

static gint compare_names(gconstpointer first, gconstpointer second)
{
    return strcmp(*(const char *const *)first, *(const char *const *)second);
}

/* The node at @path, which it takes, and all below. */
static void add_node(Tree *tree, char *path, uint64_t parent)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    Node *node = g_new0(Node, 1);
    const char *name;

    node->path = path;
    node->name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    node->parent = parent;
    if (lstat(path, &node->status) < 0) {
        backend_fail("%s: %s", path, g_strerror(errno));
    }
    g_ptr_array_add(tree->nodes, node);
    uint64_t number = tree->nodes->len;
    g_autoptr(GDir) directory = S_ISDIR(node->status.st_mode) ? g_dir_open(path, 0, NULL) : NULL;
    while (directory && (name = g_dir_read_name(directory)) != NULL) {
        g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++) {
        add_node(tree, g_build_filename(path, names->pdata[i], NULL), number);
    }
}

static gpointer start(const char *argument)
{
    Tree *tree = g_new0(Tree, 1);

    tree->nodes = g_ptr_array_new();
    add_node(tree, g_strdup(argument), 0);
    return tree;
}

static const Node *find_node(const Tree *tree, uint64_t number)
{
    return number >= FUSE_ROOT_ID && number <= tree->nodes->len
               ? tree->nodes->pdata[number - FUSE_ROOT_ID]
               : NULL;
}

static struct fuse_attr attributes(const Node *node, uint64_t number)
{
    const struct stat *status = &node->status;

    return (struct fuse_attr){
        .ino = number,
        .size = (uint64_t)status->st_size,
        .blocks = (uint64_t)status->st_blocks,
        .mtime = (uint64_t)status->st_mtim.tv_sec,
        .mtimensec = (uint32_t)status->st_mtim.tv_nsec,
        .mode = status->st_mode,
        .nlink = (uint32_t)status->st_nlink,
        .uid = status->st_uid,
        .gid = status->st_gid,
        .blksize = (uint32_t)status->st_blksize,
    };
}

/* --- requests --- */

/* What follows the header; missing bytes are 0. */
static void read_arguments(const Request *request, void *bytes, size_t size)
{
    memset(bytes, 0, size);
    vhost_user_element_read(request->element, sizeof(request->header), bytes, size);
}

static void answer(const Request *request, const void *bytes, size_t size)
{
    g_byte_array_append(request->answer, bytes, (guint)size);
}

static int initialise(const Tree *tree G_GNUC_UNUSED, const Request *request)
{
    struct fuse_init_in wanted;
    struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .max_write = 4096, .time_gran = 1};

    read_arguments(request, &wanted, sizeof(wanted));
    if (wanted.major != FUSE_KERNEL_VERSION) {
        return -EPROTO;
    }
    out.minor = MIN(wanted.minor, FUSE_KERNEL_MINOR_VERSION);
    out.max_readahead = wanted.max_readahead;
    out.flags = wanted.flags & FUSE_ASYNC_READ;
    answer(request, &out, sizeof(out));
    return 0;
}

static int look_up(const Tree *tree, const Request *request)
{
    char name[NAME_MAX + 1];

    read_arguments(request, name, sizeof(name) - 1);
    name[NAME_MAX] = '\0';
    for (guint i = 0; i < tree->nodes->len; i++) {
        const Node *node = tree->nodes->pdata[i];

        if (node->parent == request->header.nodeid && strcmp(node->name, name) == 0) {
            struct fuse_entry_out out = {.nodeid = FUSE_ROOT_ID + i,
                                         .entry_valid = VALID,
                                         .attr_valid = VALID,
                                         .attr = attributes(node, FUSE_ROOT_ID + i)};

            answer(request, &out, sizeof(out));
            return 0;
        }
    }
    return -ENOENT;
}

static int get_attributes(const Tree *tree G_GNUC_UNUSED, const Request *request)
{
    struct fuse_attr_out out = {.attr_valid = VALID,
                                .attr = attributes(request->node, request->header.nodeid)};

    answer(request, &out, sizeof(out));
    return 0;
}

static int read_link(const Tree *tree G_GNUC_UNUSED, const Request *request)
{
    g_autofree char *target = g_malloc(PATH_MAX);
    ssize_t size = readlink(request->node->path, target, PATH_MAX);

    if (size < 0) {
        return -errno;
    }
    answer(request, target, (size_t)size);
    return 0;
}

/* No handle is kept: each request has its node. */
static int open_node(const Tree *tree G_GNUC_UNUSED, const Request *request)
{
    struct fuse_open_in wanted;
    struct fuse_open_out out = {0};

    read_arguments(request, &wanted, sizeof(wanted));
    if ((wanted.flags & O_ACCMODE) != O_RDONLY) {
        return -EROFS;
    }
    answer(request, &out, sizeof(out));
    return 0;
}

static int read_file(const Tree *tree G_GNUC_UNUSED, const Request *request)
{
    struct fuse_read_in wanted;
    ssize_t got;
    int fd = open(request->node->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    read_arguments(request, &wanted, sizeof(wanted));
    g_byte_array_set_size(request->answer, MIN(wanted.size, READ_MOST));
    got = pread(fd, request->answer->data, request->answer->len, (off_t)wanted.offset);
    int error = got < 0 ? -errno : 0;
    close(fd);
    g_byte_array_set_size(request->answer, (guint)MAX(got, 0));
    return error;
}

/* From the place in the list on that the last entry before told. */
static int read_directory(const Tree *tree, const Request *request)
{
    static const uint8_t padding[sizeof(uint64_t)];
    struct fuse_read_in wanted;

    read_arguments(request, &wanted, sizeof(wanted));
    for (uint64_t i = wanted.offset; i < tree->nodes->len; i++) {
        const Node *node = tree->nodes->pdata[i];
        struct fuse_dirent entry = {.ino = FUSE_ROOT_ID + i,
                                    .off = i + 1,
                                    .namelen = (uint32_t)strlen(node->name),
                                    .type = (node->status.st_mode & S_IFMT) >> 12};

        if (node->parent != request->header.nodeid) {
            continue;
        }
        if (request->answer->len + FUSE_DIRENT_SIZE(&entry) > wanted.size) {
            break;
        }
        answer(request, &entry, sizeof(entry));
        answer(request, node->name, entry.namelen);
        answer(request, padding, FUSE_DIRENT_SIZE(&entry) - sizeof(entry) - entry.namelen);
    }
    return 0;
}

static int get_statistics(const Tree *tree, const Request *request)
{
    const Node *root = find_node(tree, FUSE_ROOT_ID);
    struct statvfs status;

    if (statvfs(root->path, &status) < 0) {
        return -errno;
    }
    struct fuse_statfs_out out = {.st = {.blocks = status.f_blocks,
                                         .files = tree->nodes->len,
                                         .bsize = (uint32_t)status.f_bsize,
                                         .namelen = NAME_MAX,
                                         .frsize = (uint32_t)status.f_frsize}};
    answer(request, &out, sizeof(out));
    return 0;
}

static int nothing(const Tree *tree G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED)
{
    return 0;
}

static const Serve requests[] = {
    [FUSE_LOOKUP] = look_up,    [FUSE_GETATTR] = get_attributes, [FUSE_READLINK] = read_link,
    [FUSE_OPEN] = open_node,    [FUSE_READ] = read_file,         [FUSE_STATFS] = get_statistics,
    [FUSE_RELEASE] = nothing,   [FUSE_FLUSH] = nothing,          [FUSE_INIT] = initialise,
    [FUSE_OPENDIR] = open_node, [FUSE_READDIR] = read_directory, [FUSE_RELEASEDIR] = nothing,
    [FUSE_DESTROY] = nothing,
};

static int serve_request(const Tree *tree, const Request *request)
{
    uint32_t opcode = request->header.opcode;

    if (opcode >= G_N_ELEMENTS(requests) || !requests[opcode]) {
        return -ENOSYS;
    }
    if (!request->node && opcode != FUSE_INIT && opcode != FUSE_DESTROY) {
        return -ESTALE;
    }
    return requests[opcode](tree, request);
}

/* Nobody waits for the answer of what has no room for one, FUSE_FORGET and its kind. */
static uint32_t serve_element(gpointer state, const VhostUserElement *element)
{
    const Tree *tree = state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Request request = {.element = element, .answer = bytes};
    struct fuse_out_header out;

    vhost_user_element_read(element, 0, &request.header, sizeof(request.header));
    if (element->writable_size < sizeof(out)) {
        return 0;
    }
    request.node = find_node(tree, request.header.nodeid);
    out = (struct fuse_out_header){.unique = request.header.unique,
                                   .error = serve_request(tree, &request)};
    if (out.error == 0 && bytes->len > element->writable_size - sizeof(out)) {
        out.error = -EMSGSIZE;
    }
    out.len = (uint32_t)sizeof(out) + (out.error ? 0 : bytes->len);
    vhost_user_element_write(element, 0, &out, sizeof(out));
    vhost_user_element_write(element, sizeof(out), bytes->data, out.len - sizeof(out));
    return out.len;
}

static int serve(Backend *backend, gpointer state)
{
    backend_serve_queue(backend, HIGH_PRIORITY, UINT_MAX, serve_element, state);
    backend_serve_queue(backend, REQUESTS, UINT_MAX, serve_element, state);
    return -1;
}

const Kind fs_kind = {
    .name = "fs",
    .argument = "TREE",
    .queues = QUEUES,
    .start = start,
    .serve = serve,
};
