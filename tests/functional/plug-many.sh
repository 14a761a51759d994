#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: plug-many.sh FIFO COUNT
# Adds DIMMs p0, p1, ... of 2 MiB through a monitor on the chardev "pipe" of that path, all at once.
# Prints how many commands were carried out and refused, and the last refusal.
awk -v count="$2" 'BEGIN {
    print "{\"execute\":\"qmp_capabilities\"}"
    for (i = 0; i < count; i++) {
        printf "{\"execute\":\"object-add\",\"arguments\":{\"qom-type\":\"memory-backend-ram\"," \
               "\"id\":\"r%d\",\"size\":2097152}}\n", i
        printf "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"pc-dimm\",\"id\":\"p%d\"," \
               "\"memdev\":\"r%d\"}}\n", i, i
    }
}' >"$1.in" &
awk -v count="$2" '
/"return"/ { good++ }
/"error"/ { bad++; error = $0 }
good + bad == 2 * count + 1 { exit }
END { print "good", good + 0, "bad", bad + 0, error }' <"$1.out"
