/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of command-line options, their parsing and help.
 */
#include "system/command-line.h"

#include "system/version.h"
#include "util/error.h"

#include <stdio.h>
#include <string.h>

#define NO_CPU "the machine has no CPU in this version, the guest is driven over -qtest"
#define NO_BLOCK "there is no block layer here; use -device vhost-user-blk-pci with a -chardev"
#define NO_NET                                                                                     \
    "use -netdev vhost-user,id=ID,chardev=ID and -device virtio-net-pci,netdev=ID; 'none' is "     \
    "accepted"

static const CommandLineOption options[] = {
    {"help", NULL, "print this text and exit", NULL, NULL}, {"h", NULL, NULL, NULL, NULL},
    {"version", NULL, "print the version and exit", NULL, NULL},
    {"machine", "[type=]NAME[,key=value,...]", "the machine; 'help' lists the names",
     "type:string, accel:string, memory-backend:string, mem-merge:boolean, "
     "dump-guest-core:boolean",
     NULL},
    {"M", "[type=]NAME[,key=value,...]", NULL, NULL, NULL},
    {"accel", "[accel=]NAME[:NAME...]", "what runs the guest; 'help' lists the names",
     "accel:string", NULL},
    {"m", "[size=]N[,slots=N,maxmem=N]",
     "guest RAM (default unit MiB), slots for memory devices, and the size it may grow to",
     "size:size, slots:number, maxmem:size", NULL},
    {"object", "TYPE,id=ID[,key=value,...]", "create an object; 'help', 'TYPE,help'",
     "qom-type:string, id:string", NULL},
    {"device", "TYPE[,key=value,...]", "add a device, also as JSON; 'help', 'TYPE,help'",
     "driver:string, id:string, bus:string", NULL},
    {"chardev", "TYPE,id=ID[,key=value,...]", "create a character device; 'help'",
     "id:string, path:string, host:string, port:string, fd:string, server:boolean, "
     "wait:boolean, reconnect:number, nodelay:boolean, ipv4:boolean, ipv6:boolean, to:number, "
     "append:boolean, signal:boolean",
     NULL},
    {"netdev", "vhost-user,id=ID,chardev=ID[,queues=N][,vhostforce=on|off]",
     "a network served by another process, for a -device virtio-net-pci; 'help'",
     "type:string, id:string, chardev:string, queues:number, vhostforce:boolean", NULL},
