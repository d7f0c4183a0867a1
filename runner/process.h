#ifndef PROCESS_H
#define PROCESS_H
/*
 * The process backend in the program. process.c starts and collects tasks, process_death.c deals with workers
 * that died, process_map.c with maps.
 */
#include "backend.h"
#include "function_place.h"
#include "shop.h"
#include "wire.h"
#include <deja/image.h>

typedef struct map_run map_run;

/* What the program alone knows of a slot. */
typedef struct side {
    uint32_t generation;
    task *task;   /* a call ... */
    map_run *run; /* ... or a share of a map; neither: free */
    void *args;   /* heap block */
    int timed;
    int kill;               /* canceled, but its worker has not begun it: to be ended as soon as it has */
    int fd, out_fd, err_fd; /* that came from the worker; -1 */
    deja_product made;      /* or the result itself, read as it came: few descriptors are held at once */
    int made_code;          /* negative: why that failed */
} side;

typedef struct process {
    backend base;
    deja_pool *pool;
    shop shop;
    deja_image_heap image_heap;    /* for arguments of calls: frozen arrays go by reference */
    deja_image_heap borrowed_heap; /* for those of maps: no array changes until the map is freed */
    side *side;
    uint32_t *free_slot; /* a stack: what was used last is in the caches */
    uint32_t free_count;
    uint32_t kills;     /* slots with `kill` */
    uint32_t *heard;    /* by worker: of board.told */
    uint64_t *received; /* by worker: of board.sent */
    map_run *runs;      /* under way */
    int held;           /* one of them waits for max_running */
    pid_t zygote;
    int zygote_fd;      /* pidfd; -1: none */
    int lost;           /* the zygote has ended */
    int watched;        /* a look at it is due */
    uint64_t last_head; /* of the ring, at the last look */
} process;

/* Between looks whether a canceled task has begun. */
enum { process_kill_again_ns = 1000 * 1000 };

/* ---- process.c ---- */

/* A free slot with its new generation, or slot_count. Ready when process_post is called. */
uint32_t process_slot(process *p);
void process_post(process *p, uint32_t i, int64_t timeout_ns);
void process_release(process *p, uint32_t i);

/* Takes what workers sent. */
void process_receive(process *p);

/* The slot is done. */
void process_finish(process *p, uint32_t i);

/* The code and text that a worker left in a slot; 0: none. */
int process_failure(const process *p, uint32_t i, deja_error *err);

/* The call in a slot ends with err's code and text. */
void process_fail(process *p, uint32_t i, const deja_error *err, int signal);
void process_collect(backend *b);

/* The heap of the pool, which deja_pool_array_... use; the pool's until process close. */
heap *process_heap(backend *b);

/* Living processes, the zygote first. Returns how many; writes at most `most`. */
size_t process_pids(backend *b, int64_t *ret, size_t most);

/* ---- process_look.c ---- */

/* Something is under way: looks come from now on, until nothing is. */
void process_watch(process *p);
int64_t process_look(backend *b, int64_t now_ns);

/* If somebody stopped it. */
void process_continue_zygote(const process *p);

/* ---- process_death.c ---- */

/* Workers that the zygote found dead, up to the `deaths`-th. What they told is heard. */
void process_bury(process *p, uint64_t deaths);

/* Everything under way has failed: the zygote was ended. */
void process_fail_all(process *p);

/* Says what ended a worker while `name` ran. */
int process_cause(const death *d, const char *name, int64_t timeout_ms, deja_error *err);

/* ---- process_map.c ---- */

int process_map_begin(backend *b, deja_pool_function *f, const deja_map_task *m, deja_map_run **ret,
                      deja_error *err);

/* A share has ended: its worker said so, or died in it (d). */
void process_map_share_done(process *p, uint32_t i);
void process_map_share_died(process *p, uint32_t i, const death *d);

/* A descriptor for a run came. */
void process_map_received(map_run *r, const wire_message *m, int fd);

/* The zygote is gone. */
void process_map_fail(map_run *r);

/* Posts what waits for a slot. */
void process_map_pump(process *p);

void process_map_resume(backend *b);

/* Of the list `runs`. */
map_run *process_map_next(map_run *r);

#endif
