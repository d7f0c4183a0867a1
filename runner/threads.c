/*
 * The thread backend: as many threads as workers, each started when a task finds no idle one, and one queue.
 */
#include "inside.h"
#include "local.h"
#include "local_map.h"

#include <deja/runner.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

typedef struct worker_thread {
    struct threads *threads;
    pthread_t thread;
    task *current; /* under the lock: who looks for late ones reads it */
} worker_thread;

typedef struct threads {
    backend ops;
    deja_pool *pool;
    int stage_folder;
    pthread_mutex_t lock;
    pthread_cond_t more;
    task *first, *last;
    uint32_t queued, idle, started, most;
    int stop;
    worker_thread worker[];
} threads;

static task *pop(threads *s)
{
    task *t = s->first;
    s->first = t->next;
    if (!s->first)
        s->last = NULL;
    s->queued--;
    return t;
}

/* The task of before is forgotten here, and told to be finished by the caller, after the lock. */
static task *next_task(worker_thread *w)
{
    threads *s = w->threads;
    pthread_mutex_lock(&s->lock);
    w->current = NULL;
    w->current = s->first && !s->stop ? pop(s) : NULL;
    task *t = w->current;
    pthread_mutex_unlock(&s->lock);
    return t;
}

/* NULL: stop. */
static task *wait_for_task(worker_thread *w)
{
    threads *s = w->threads;
    pthread_mutex_lock(&s->lock);
    s->idle++;
    while (!s->first && !s->stop)
        pthread_cond_wait(&s->more, &s->lock);
    s->idle--;
    w->current = s->stop ? NULL : pop(s);
    task *t = w->current;
    pthread_mutex_unlock(&s->lock);
    return t;
}

static void *work(void *arg)
{
    worker_thread *w = arg;
    deja_sink sink;
    inside here;
    inside_enter(&here, w->threads->pool);
    sink_init(&sink, w->threads->stage_folder);
    for (task *t; (t = wait_for_task(w));)
        while (t) {
            task *ended = t;
            local_execute(t, &sink);
            t = next_task(w);
            pool_finished(w->threads->pool, ended);
        }
    sink_done(&sink);
    inside_leave(&here);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(threads *s)
{
    sigset_t all, old;
    worker_thread *w = &s->worker[s->started];
    w->threads = s;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        s->started++;
    return rc;
}

static int start(backend *b, task *t, const deja_value *args, size_t n, deja_error *err)
{
    (void)args, (void)n;
    threads *s = (threads *)b;
    pthread_mutex_lock(&s->lock);
    int rc = s->queued >= s->idle && s->started < s->most ? start_thread(s) : 0;
    if (rc == 0 || s->started) {
        rc = 0;
        t->next = NULL;
        if (s->last)
            s->last->next = t;
        else
            s->first = t;
        s->last = t;
        if (s->queued++ < s->idle)
            pthread_cond_signal(&s->more);
    }
    pthread_mutex_unlock(&s->lock);
    errno = rc;
    return rc ? deja_fail_errno(err, "start a thread") : 1;
}

static int64_t look(backend *b, int64_t now_ns)
{
    threads *s = (threads *)b;
    int64_t again = INT64_MAX;
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->started; i++) {
        int64_t at = s->worker[i].current ? local_look(s->worker[i].current, now_ns) : INT64_MAX;
        again = at < again ? at : again;
    }
    pthread_mutex_unlock(&s->lock);
    return again;
}

static int map_begin(backend *b, deja_pool_function *f, const deja_map_task *m, deja_map_run **ret,
                     deja_error *err)
{
    return local_map_begin(f, m, ((threads *)b)->most, ret, err);
}

static void close_threads(backend *b)
{
    threads *s = (threads *)b;
    if (!pool_is_foreign(s->pool)) {
        pthread_mutex_lock(&s->lock);
        s->stop = 1;
        pthread_cond_broadcast(&s->more);
        pthread_mutex_unlock(&s->lock);
        for (uint32_t i = 0; i < s->started; i++)
            pthread_join(s->worker[i].thread, NULL);
        pthread_cond_destroy(&s->more);
        pthread_mutex_destroy(&s->lock);
    }
    deja_free(s);
}

backend *thread_open(deja_pool *p, const deja_pool_options *options, deja_error *err)
{
    threads *s = deja_calloc(1, sizeof *s + options->workers * sizeof *s->worker);
    if (!s) {
        deja_fail(err, DEJA_ENOMEM, "open the threads");
        return NULL;
    }
    s->ops = (backend){
        .start = start, .look = look, .cancel = local_cancel, .map_begin = map_begin, .close = close_threads};
    s->pool = p;
    s->most = options->workers;
    s->stage_folder = local_stage_folder(options);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->more, NULL);
    return &s->ops;
}
