#ifndef VAULT_H
#define VAULT_H
/*
 * The cache and the claims that a run uses, opened as options and environment say. A cache that cannot be
 * opened is no reason not to run. One thread.
 */
#include <deja/cache.h>
#include <deja/claim.h>
#include <deja/place.h>

typedef struct vault_options {
    const char *cache;  /* --cache, or NULL */
    const char *beside; /* the batch's folder; NULL: the user's cache */
    int has_outputs;    /* jobs declare outputs: they are to be claimed */
    int force;          /* do not look up */
    int dry_run;        /* make nothing */
    deja_trace *trace;
} vault_options;

typedef struct vault {
    deja_cache *cache;   /* NULL: none */
    deja_claims *claims; /* of keys; NULL where nothing is kept */
    deja_claims *output_claims;
    deja_place_mode mode;
    int lookup, store;
    int unusable; /* there should be a cache, and it could not be opened: `trouble` */
    deja_error trouble;
    int apart; /* others who write the same outputs are not noticed, at most those of the same batch: ... */
    deja_error claims_trouble;
} vault;

/* What is said when it is apart, with the trouble. */
#define VAULT_APART "warning: others who write the same outputs at the same time are not noticed: %s"

/* DEJA_EINVAL for a bad DEJA_MODE, the only error. */
int vault_open(vault *v, const vault_options *options, deja_error *err);

/*
 * The claims of outputs alone, for who opened it as for a dry run and changes outputs all the same: where all
 * that the user starts meets; else two runs of one batch meet beside it (NULL: nowhere), and it is apart.
 */
void vault_open_outputs(vault *v, const char *beside);

/* 1 when results were to be kept and cannot be. */
int vault_cannot_keep(const vault *v);

/* Safe on zeroed memory. */
void vault_close(vault *v);

#endif
