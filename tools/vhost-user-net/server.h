/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network cards behind vhost-user connections: what the library asks of a network device. */
#ifndef VHOST_USER_NET_SERVER_H
#define VHOST_USER_NET_SERVER_H

#include "tools/common/program.h"

/* For program_run(), whose options' device is a NetOptions. */
extern const ProgramKind net_program;

#endif
