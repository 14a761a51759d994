/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the device base class share. */
#ifndef HW_CORE_DEVICE_INTERNAL_H
#define HW_CORE_DEVICE_INTERNAL_H

#include "hw/core/device.h"

/* What to do about the device type @name, which does not exist. Static. */
const char *device_name_advice(const char *name);

#endif
