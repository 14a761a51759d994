/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sound card (virtio 1.2, 5.14) with one stream to play.  What is played goes to a file.  The
 * card takes a buffer each tenth of a second, whatever the rate: a guest that is emulated twice
 * keeps up with that.
 */
#include "backend.h"

#include <fcntl.h>
#include <linux/virtio_snd.h>
#include <string.h>
#include <unistd.h>

enum { CONTROL, EVENTS, PLAYED, RECORDED };
enum { RATE = 48000, FRAME = 4 /* bytes */ };

typedef struct Sound {
    const char *path;
    int file;
    enum { WAITING, PLAYING, RELEASED } stream; /* what becomes of its buffers */
    gint64 next;                                /* when the next one is taken, microseconds */
} Sound;

static gpointer start(const char *argument)
{
    Sound *sound = g_new0(Sound, 1);

    sound->path = argument;
    sound->file = open(argument, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (sound->file < 0) {
        backend_fail("%s: cannot be written", argument);
    }
    return sound;
}

static void connected(gpointer state)
{
    ((Sound *)state)->stream = WAITING;
}

static void read_config(gpointer state G_GNUC_UNUSED, uint8_t *bytes)
{
    const struct virtio_snd_config config = {.streams = GUINT32_TO_LE(1)};

    memcpy(bytes, &config, sizeof(config));
}

/* --- the control queue (5.14.6) --- */

static uint32_t describe_stream(const VhostUserElement *element)
{
    const struct virtio_snd_hdr ok = {GUINT32_TO_LE(VIRTIO_SND_S_OK)};
    const struct virtio_snd_pcm_info information = {
        .formats = GUINT64_TO_LE(UINT64_C(1) << VIRTIO_SND_PCM_FMT_S16),
        .rates = GUINT64_TO_LE(UINT64_C(1) << VIRTIO_SND_PCM_RATE_48000),
        .direction = VIRTIO_SND_D_OUTPUT,
        .channels_min = 2,
        .channels_max = 2,
    };

    vhost_user_element_write(element, 0, &ok, sizeof(ok));
    return (uint32_t)(sizeof(ok) + vhost_user_element_write(element, sizeof(ok), &information,
                                                            sizeof(information)));
}

/* Playing begins with nothing in the file, so that it holds what was played last. */
static void prepare(Sound *sound)
{
    sound->stream = WAITING;
    if (ftruncate(sound->file, 0) < 0 || lseek(sound->file, 0, SEEK_SET) < 0) {
        backend_fail("%s: cannot be emptied", sound->path);
    }
}

static uint32_t serve_control(gpointer state, const VhostUserElement *element)
{
    Sound *sound = state;
    struct virtio_snd_query_info request = {0}; /* the longest that is of interest */
    struct virtio_snd_hdr answer = {GUINT32_TO_LE(VIRTIO_SND_S_OK)};

    vhost_user_element_read(element, 0, &request, sizeof(request));
    switch (GUINT32_FROM_LE(request.hdr.code)) {
    case VIRTIO_SND_R_PCM_INFO:
        return describe_stream(element);
    case VIRTIO_SND_R_PCM_PREPARE:
        prepare(sound);
        break;
    case VIRTIO_SND_R_PCM_START:
        sound->stream = PLAYING;
        sound->next = g_get_monotonic_time();
        break;
    case VIRTIO_SND_R_PCM_STOP:
        sound->stream = WAITING;
        break;
    case VIRTIO_SND_R_PCM_RELEASE:
        sound->stream = RELEASED;
        break;
    case VIRTIO_SND_R_PCM_SET_PARAMS:
        break;
    default:
        answer.code = GUINT32_TO_LE(VIRTIO_SND_S_NOT_SUPP);
    }
    return (uint32_t)vhost_user_element_write(element, 0, &answer, sizeof(answer));
}

/* --- buffers (5.14.6.8) --- */

static uint32_t finish_buffer(const VhostUserElement *element)
{
    const struct virtio_snd_pcm_status status = {.status = GUINT32_TO_LE(VIRTIO_SND_S_OK)};

    return (uint32_t)vhost_user_element_write(element, 0, &status, sizeof(status));
}

static uint32_t drop(gpointer state G_GNUC_UNUSED, const VhostUserElement *element)
{
    return finish_buffer(element);
}

static uint32_t play(gpointer state, const VhostUserElement *element)
{
    Sound *sound = state;
    gsize header = sizeof(struct virtio_snd_pcm_xfer);
    gsize size = element->readable_size > header ? element->readable_size - header : 0;
    g_autofree uint8_t *bytes = g_malloc(size);

    size = vhost_user_element_read(element, header, bytes, size);
    if (write(sound->file, bytes, size) != (ssize_t)size) {
        backend_fail("%s: cannot be written", sound->path);
    }
    sound->next += (gint64)size * G_USEC_PER_SEC / (RATE * FRAME);
    return finish_buffer(element);
}

static int serve(Backend *backend, gpointer state)
{
    Sound *sound = state;
    gint64 wait;

    backend_serve_queue(backend, CONTROL, UINT_MAX, serve_control, sound);
    if (sound->stream == RELEASED) {
        backend_serve_queue(backend, PLAYED, UINT_MAX, drop, sound);
    }
    if (sound->stream != PLAYING) {
        return -1;
    }
    while (sound->next <= g_get_monotonic_time()) {
        gint64 before = sound->next;

        backend_serve_queue(backend, PLAYED, 1, play, sound);
        if (sound->next == before) { /* nothing to play: silence, and no hurry afterwards */
            sound->next = g_get_monotonic_time() + 1000;
        }
    }
    wait = sound->next - g_get_monotonic_time();
    return (int)(MAX(wait, 0) / 1000) + 1;
}

const Kind sound_kind = {
    .name = "sound",
    .argument = "FILE",
    .queues = 4,
    .config_size = sizeof(struct virtio_snd_config),
    .start = start,
    .read_config = read_config,
    .serve = serve,
    .connected = connected,
};
