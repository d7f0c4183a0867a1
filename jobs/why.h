#ifndef WHY_H
#define WHY_H
/*
 * Why a job would run, or would not: its key of now, as a dry run tells it, against what the history
 * remembers of its last runs.
 */
#include "difference.h"
#include "history.h"

typedef enum why_kind {
    WHY_ANSWERED,   /* it would not run */
    WHY_DEPENDS,    /* a job that it needs would run: `text` */
    WHY_UNCACHED,   /* cache: false */
    WHY_ALWAYS,     /* no result is asked for: `text` ("--force") */
    WHY_NO_KEY,     /* what a needed job left is not known */
    WHY_NEVER,      /* it never ran */
    WHY_NEAREST,    /* it never ran; another instance did: `before`, `differences` */
    WHY_CHANGED,    /* `before`, `differences` */
    WHY_MANY,       /* `before`, whose key has too many fields to be remembered */
    WHY_FAILED,     /* nothing changed since `before`, which failed */
    WHY_NOT_KEPT,   /* nothing changed since `before`, whose result was not kept */
    WHY_FORGOTTEN,  /* nothing changed since `before`, whose result the cache does not have any more */
    WHY_UNUSABLE,   /* nothing changed since `before`, whose result the cache has, damaged or in part */
    WHY_DISCOVERED, /* what the job itself named as its inputs changed since `before`: `stale` */
} why_kind;

#define WHY_STALE_NAMED 20

/* Zeroed memory is ready, and one may be used again. */
typedef struct why {
    why_kind kind;
    const char *text;        /* borrowed from the event or the options, or NULL */
    history_record before;   /* of CHANGED and what is behind it */
    differences differences; /* between that and now; borrow from `before` and the event */
    deja_buffer stale;       /* names of files, each with its NUL, WHY_STALE_NAMED at most */
    size_t stale_count;      /* of all that changed */
} why;

typedef struct why_options {
    history *history;
    deja_cache *cache;  /* NULL: none; looked into where a result should be there */
    int root_fd;        /* where relative paths begin */
    const char *always; /* why no result is asked for at all; NULL: they are */
    const char *absent; /* the same, where it counts only for jobs that ran before: the cache is not there */
    int nearest;        /* where an instance never ran another one is looked for: takes a while */
} why_options;

/* `e` is WOULD_RUN or WOULD_HIT, and lives as long as the answer is used. */
void why_find(why *w, const why_options *options, const flow_event *e);

/* Private: what the cache has of a job whose key did not change. */
void why_look_into_cache(why *w, const why_options *options, const flow_event *e);

/* Appends a few words: "input 'x' changed, and 2 more", "failed last time (exit status 3)". Nothing for
 * ANSWERED. Escaped. */
void why_short(deja_buffer *b, const why *w);

/* Appends a paragraph about the job of the event: lines, each with its newline. */
void why_paragraph(deja_buffer *b, const why *w, const flow_event *e);

/* Appends a JSON object and a newline. */
void why_json(deja_buffer *b, const why *w, const flow_event *e);

void why_done(why *w);

#endif
