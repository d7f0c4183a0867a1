#ifndef DEJA_H
#define DEJA_H
/*
 * All of deja's public headers.
 *
 *     deja/cache.h    find or keep results by key; deja/key.h makes keys, deja/claim.h lets one of many
 * compute deja/runner.h   run commands, hand back what happened deja/error.h    how failures are told;
 * buffer, clock, file, hash, memory, text, trace: the floor they share
 */
#include <deja/buffer.h>
#include <deja/cache.h>
#include <deja/claim.h>
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/error.h>
#include <deja/file.h>
#include <deja/hash.h>
#include <deja/key.h>
#include <deja/memory.h>
#include <deja/runner.h>
#include <deja/text.h>
#include <deja/trace.h>

#endif
