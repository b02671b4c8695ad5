/*
 * cache.h - names of jobs and servers, kept for the completion of the shells, which never asks
 * anybody: ~/.cache/chime/names.ENVIRONMENT (XDG_CACHE_HOME is honoured).
 *
 *	@db1
 *	eod/extract@db1
 *
 * A line each, sorted, mode 0600. The file is replaced as a whole, and only when it says
 * something else; its time of change says which environment was looked at last.
 */
#ifndef CHIME_CLIENT_CACHE_H
#define CHIME_CLIENT_CACHE_H

#include "proto/control.pb-c.h"

/* Keeps the names of an answer that holds all jobs. What goes wrong is nobody's trouble. */
void cache_names(const Chime__JobsReply *jobs);

#endif
