/* version.h - what this build is. */
#ifndef CHIME_PROTO_VERSION_H
#define CHIME_PROTO_VERSION_H

#define CHIME_VERSION "0.1.0"

enum { CHIME_PROTOCOL = 1 };	/* of the control stream */

#endif
