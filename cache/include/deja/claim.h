#ifndef DEJA_CLAIM_H
#define DEJA_CLAIM_H
/*
 * Single flight: of many threads, processes and programs that want the same thing (a key, an output path),
 * one has it. A claim is an open-file-description lock (fcntl(2), F_OFD_SETLK) on one byte of one of 64
 * files, both taken from the hash; it dies with its owner. Claims never wait: who does not get one asks again
 * later.
 *
 * Any thread may call; two holders within one process exclude each other too. The descriptors are
 * close-on-exec; a child that does not exec must close them, or it holds the claims.
 */
#include <deja/hash.h>

typedef struct deja_claims deja_claims;

/* Uses (and makes) `folder`. Two opens of one folder in one process exclude each other like two processes. */
DEJA_API int deja_claims_open(deja_claims **ret, const char *folder, deja_error *err);

/* 1 it is ours now, 0 somebody has it, negative on failure. */
DEJA_API int deja_claim_try(deja_claims *c, const deja_hash *what, deja_error *err);

/* Gives back what deja_claim_try got. */
DEJA_API void deja_claim_release(deja_claims *c, const deja_hash *what);

/* Releases all. NULL is fine. */
DEJA_API void deja_claims_close(deja_claims *c);

#endif
