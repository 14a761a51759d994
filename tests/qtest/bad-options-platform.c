/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of what must be refused about the devices of the board.
 */
#include "qtest/bad-options-tables.h"

const BadOption bad_platform[] = {
    {"-device isa-debug-exit,id=e,iobase=0x70", "'e'|iobase=0x70|'rtc'|iobase="},
    {"-device isa-debug-exit,id=e,iobase=0x65536", "'e'|'iobase'|0x65536|65535"},
    {"-device isa-debug-exit,id=e,iobase=0xffff", "'e'|iobase=0xffff|no 2 ports|0xffff"},
    {"-device isa-debug-exit,id=e,iosize=0", "'e'|'iosize'|0"},
    {"-device isa-debug-exit,id=e,iosize=0x10001", "'e'|'iosize'|0x10001"},
    {"-device isa-debug-exit,id=e,iosize=0x10000", "'e'|iobase=0x501|no 65536 ports"},
    {"-device isa-debug-exit,id=e,iosize=0x200", "'e'|iobase=0x501|has some of these 512 ports"},
    {"-device isa-debug-exit -device isa-debug-exit,id=f", "'f'|iobase=0x501|isa-debug-exit"},
    {"-device pvpanic,id=p,ioport=0", "'p'|'ioport'|0"},
    {"-device pvpanic,id=p,ioport=0x510", "'p'|ioport=0x510|'fw-cfg'|ioport="},
    {"-device pvpanic,id=p,events=0", "'p'|'events'|0|1"},
    {"-device pvpanic,id=p,events=4", "'p'|'events'|4|3"},
    {"-device pvpanic -device pvpanic,id=p,ioport=0x600e", "'p'|a pvpanic already"},
    {"-device vmgenid,id=g,guid=", "'g'|guid=|auto"},
    {"-device vmgenid,id=g,guid=1234", "'g'|guid=1234|auto|UUID"},
    {"-device vmgenid -device vmgenid,id=g", "'g'|a vmgenid already"},
    {"-device mc146818rtc", "mc146818rtc"},
    {"-device i8042", "i8042"},
    {NULL, NULL},
};
