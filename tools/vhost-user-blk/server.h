/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk behind vhost-user connections: what the library asks of a block device. */
#ifndef VHOST_USER_BLK_SERVER_H
#define VHOST_USER_BLK_SERVER_H

#include "tools/common/program.h"

/* For program_run(), whose options' device is a BlkOptions. */
extern const ProgramKind blk_program;

#endif
