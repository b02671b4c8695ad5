/*
 * options.h - the command line of chime-record.
 */
#ifndef CHIME_CLIENT_RECORD_OPTIONS_H
#define CHIME_CLIENT_RECORD_OPTIONS_H

#include "client/record/writer.h"
#include "proto/buskey.h"

enum { OPTIONS_CERTIFICATES_MAX = 64, OPTIONS_PATH_SIZE = 4096 };

struct options {
	const char *interface, *read, *group, *user;
	char ca[OPTIONS_PATH_SIZE];	/* "" = none */
	const char *keys[KEYRING_MAX];
	size_t key_count;
	const char *certificates[OPTIONS_CERTIFICATES_MAX];
	size_t certificate_count;
	struct writer_plan plan;	/* path NULL: nothing is written */
	uint16_t port;
	bool port_given, json, datagrams, quiet, decrypt;
	uint64_t count;			/* 0 = no end */
};

/* 0, or an exit code, and the reason was told; -1: help or version was asked for and given. */
int options_read(struct options *options, int argc, char **argv);

/* Prints lines on stderr behind the program's name; returns code. */
int options_complain(const char *lines, int code);

#endif
