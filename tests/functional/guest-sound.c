/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs in a guest: plays a file of 16-bit stereo samples, whole buffers of them, through the
 * kernel's own interface, and waits until the card has had all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FRAME 4 /* bytes */
#define RATE 48000
#define PERIOD 1920 /* with four of them all that the driver allows, 160 ms */
#define PERIODS 4

static void fail(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void choose(struct snd_pcm_hw_params *parameters, int parameter, unsigned value)
{
    struct snd_interval *interval =
        &parameters->intervals[parameter - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];

    interval->min = interval->max = value;
    interval->integer = 1;
}

static void allow(struct snd_pcm_hw_params *parameters, int parameter, unsigned bit)
{
    struct snd_mask *mask = &parameters->masks[parameter - SNDRV_PCM_HW_PARAM_FIRST_MASK];

    memset(mask, 0, sizeof(*mask));
    mask->bits[bit / 32] = 1u << bit % 32;
}

static void set_up(int card)
{
    struct snd_pcm_hw_params parameters;

    memset(&parameters, 0, sizeof(parameters));
    parameters.rmask = ~0u;
    for (int i = SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL; i++) {
        parameters.intervals[i - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL].max = ~0u;
    }
    allow(&parameters, SNDRV_PCM_HW_PARAM_ACCESS, SNDRV_PCM_ACCESS_RW_INTERLEAVED);
    allow(&parameters, SNDRV_PCM_HW_PARAM_FORMAT, SNDRV_PCM_FORMAT_S16_LE);
    allow(&parameters, SNDRV_PCM_HW_PARAM_SUBFORMAT, SNDRV_PCM_SUBFORMAT_STD);
    choose(&parameters, SNDRV_PCM_HW_PARAM_CHANNELS, 2);
    choose(&parameters, SNDRV_PCM_HW_PARAM_RATE, RATE);
    choose(&parameters, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, PERIOD);
    choose(&parameters, SNDRV_PCM_HW_PARAM_PERIODS, PERIODS);
    if (ioctl(card, SNDRV_PCM_IOCTL_HW_PARAMS, &parameters) < 0) {
        fail("parameters");
    }
    if (ioctl(card, SNDRV_PCM_IOCTL_PREPARE) < 0) {
        fail("prepare");
    }
}

/* The kernel's own wait for the end gives up soon after the time that it should take.  A stream
 * that has run dry has stopped, and asking how much of it is left is an error then. */
static void wait_until_played(int card)
{
    snd_pcm_sframes_t left;

    for (int tenths = 0; tenths < 200; tenths++) {
        if (ioctl(card, SNDRV_PCM_IOCTL_DELAY, &left) < 0) {
            if (errno != EPIPE) {
                fail("delay");
            }
            return;
        }
        usleep(100000);
    }
    errno = ETIMEDOUT;
    fail("the last samples");
}

int main(int argc, char **argv)
{
    static char bytes[PERIOD * PERIODS * FRAME];
    int card = argc == 3 ? open(argv[1], O_WRONLY) : -1;
    int file = argc == 3 ? open(argv[2], O_RDONLY) : -1;
    unsigned long long played = 0;

    if (card < 0 || file < 0) {
        fail("usage: guest-sound PCM FILE");
    }
    set_up(card);
    while (read(file, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes)) {
        struct snd_xferi frames = {.buf = bytes, .frames = sizeof(bytes) / FRAME};

        if (ioctl(card, SNDRV_PCM_IOCTL_WRITEI_FRAMES, &frames) < 0 && errno != EPIPE) {
            fail("write");
        }
        if ((unsigned long)frames.result != frames.frames) {
            printf("%llu bytes played before an underrun\n", played);
            return EXIT_SUCCESS;
        }
        played += sizeof(bytes);
    }
    wait_until_played(card);
    close(card);
    printf("%llu bytes played\n", played);
    return EXIT_SUCCESS;
}
