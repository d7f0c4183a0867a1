/*
 * Helper threads of a cache: two queues of work, a queue of what is finished, and an eventfd that is readable
 * exactly while that one holds something. One mutex guards all of it.
 */
#include "step.h"
#include <deja/memory.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_BYTES (256 * 1024) /* the deepest helper holds one 64 KB buffer and what SQLite needs */

typedef struct step_queue {
    deja_step *first, *last;
} step_queue;

struct steps {
    deja_cache *cache;
    pthread_mutex_t mutex;
    pthread_cond_t wake;  /* helpers: there is work, or the end */
    pthread_cond_t quiet; /* steps_close and a step that runs in the caller: something has finished */
    step_queue waiting;   /* begun, no helper has it yet */
    step_queue put_off;   /* long ones that wait for their turn */
    step_queue finished;  /* for steps_next */
    size_t waiting_count; /* without those put off */
    size_t under_way;     /* begun and not finished */
    deja_step *at_once;   /* runs in the caller; NULL once finished */
    int event;            /* eventfd, -1 before the first thread */
    int closing;
    unsigned idle;         /* helpers that wait for work */
    unsigned long_running; /* helpers on a long step */
    unsigned thread_count, thread_max;
    pthread_t threads[];
};

static void push(step_queue *q, deja_step *step)
{
    step->next = NULL;
    if (q->last)
        q->last->next = step;
    else
        q->first = step;
    q->last = step;
}

static deja_step *pop(step_queue *q)
{
    deja_step *step = q->first;
    if (!step)
        return NULL;
    q->first = step->next;
    if (!q->first)
        q->last = NULL;
    step->next = NULL;
    return step;
}

/* Neither can fail in earnest: the counter is 0 before a write and not 0 before a read, and both happen under
 * the mutex. */
static void raise_event(int event)
{
    uint64_t one = 1;
    ssize_t n;
    do
        n = write(event, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

static void clear_event(int event)
{
    uint64_t count;
    ssize_t n;
    do
        n = read(event, &count, sizeof count);
    while (n < 0 && errno == EINTR);
}

/* With one thread, be it that no second one could be started, that one does all. */
static unsigned long_max(const steps *s)
{
    return s->thread_count > 1 ? s->thread_count - 1 : 1;
}

/*
 * Nobody is woken for a step that was put off, and none is forgotten: the helper that put it off comes by
 * here next, and so does each that has finished a long one.
 */
static deja_step *take(steps *s)
{
    deja_step *step = s->long_running < long_max(s) ? pop(&s->put_off) : NULL;
    if (step) {
        s->long_running++;
        return step;
    }
    step = pop(&s->waiting);
    s->waiting_count -= step != NULL;
    return step;
}

static void *help(void *context)
{
    steps *s = context;
    pthread_mutex_lock(&s->mutex);
    for (;;) {
        deja_step *step = take(s);
        if (step) {
            int is_long = step->is_long;
            pthread_mutex_unlock(&s->mutex);
            step->work(s->cache, step);
            pthread_mutex_lock(&s->mutex);
            s->long_running -= is_long != 0;
        } else if (s->closing) {
            break;
        } else {
            s->idle++;
            pthread_cond_wait(&s->wake, &s->mutex);
            s->idle--;
        }
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* A helper takes no signal: they are for the program's own threads. */
static int start_thread(steps *s)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr))
        return DEJA_ERESOURCE;
    /* The system's minimum may be larger, with much thread-local data: then its default serves. */
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigset_t all, old;
    sigfillset(&all);
    int failed = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (!failed) {
        failed = pthread_create(&s->threads[s->thread_count], &attr, help, s);
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    pthread_attr_destroy(&attr);
    if (failed)
        return DEJA_ERESOURCE;
    s->thread_count++;
    return 0;
}

static int ensure_event(steps *s)
{
    if (s->event < 0)
        s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s->event < 0 ? DEJA_ERESOURCE : 0;
}

/* Sees to it that somebody will take what waits: a negative code only when there is no helper at all. */
static int ensure_helper(steps *s)
{
    if (s->waiting_count < s->idle || s->thread_count == s->thread_max)
        return 0;
    return start_thread(s) < 0 && !s->thread_count ? DEJA_ERESOURCE : 0;
}

static void run_at_once(steps *s, deja_step *step)
{
    s->at_once = step;
    pthread_mutex_unlock(&s->mutex);
    step->work(s->cache, step);
    pthread_mutex_lock(&s->mutex);
    while (s->at_once)
        pthread_cond_wait(&s->quiet, &s->mutex);
}

int steps_open(steps **ret, deja_cache *cache, unsigned helpers, deja_error *err)
{
    if (!helpers)
        helpers = 1;
    steps *s = deja_calloc(1, sizeof *s + helpers * sizeof s->threads[0]);
    if (!s)
        return deja_fail(err, DEJA_ENOMEM, "prepare helper threads: out of memory");
    s->cache = cache;
    s->event = -1;
    s->thread_max = helpers;
    /* With default attributes these three allocate nothing and cannot fail (pthread_mutex_init(3)). */
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_cond_init(&s->wake, NULL);
    (void)pthread_cond_init(&s->quiet, NULL);
    *ret = s;
    return 0;
}

static void enter(steps *s, deja_step *step, void (*work)(deja_cache *, deja_step *))
{
    step->work = work;
    step->next = NULL;
    step->is_long = 0;
    s->under_way++;
}

int steps_begin(steps *s, deja_step *step, void (*work)(deja_cache *, deja_step *))
{
    pthread_mutex_lock(&s->mutex);
    enter(s, step, work);
    int later = ensure_event(s) == 0 && ensure_helper(s) == 0;
    if (later) {
        push(&s->waiting, step);
        s->waiting_count++;
        pthread_cond_signal(&s->wake);
    } else {
        run_at_once(s, step);
    }
    pthread_mutex_unlock(&s->mutex);
    return later ? 0 : 1;
}

int steps_begin_elsewhere(steps *s, deja_step *step, void (*work)(deja_cache *, deja_step *))
{
    pthread_mutex_lock(&s->mutex);
    enter(s, step, work);
    int later = ensure_event(s) == 0;
    if (!later)
        run_at_once(s, step);
    pthread_mutex_unlock(&s->mutex);
    if (later)
        work(s->cache, step);
    return later ? 0 : 1;
}

int steps_put_off(steps *s, deja_step *step, uint64_t bytes)
{
    pthread_mutex_lock(&s->mutex);
    int put_off = bytes > STEP_LONG_BYTES && !step->is_long && step != s->at_once;
    if (put_off) {
        step->is_long = 1;
        push(&s->put_off, step);
        if (s->long_running == long_max(s) && s->thread_count < s->thread_max)
            (void)start_thread(s); /* in our stead: we are about to become one of those on long steps */
    }
    pthread_mutex_unlock(&s->mutex);
    return put_off;
}

void steps_finish(steps *s, deja_step *step)
{
    pthread_mutex_lock(&s->mutex);
    s->under_way--;
    if (step == s->at_once) {
        s->at_once = NULL;
    } else {
        int was_empty = !s->finished.first;
        push(&s->finished, step);
        if (was_empty)
            raise_event(s->event);
    }
    pthread_cond_broadcast(&s->quiet);
    pthread_mutex_unlock(&s->mutex);
}

/* Unlocked: `event` is set by the first step that begins, and that comes from the thread that polls. */
int steps_fd(const steps *s)
{
    return s->event;
}

deja_step *steps_next(steps *s)
{
    pthread_mutex_lock(&s->mutex);
    deja_step *step = pop(&s->finished);
    if (step && !s->finished.first)
        clear_event(s->event);
    pthread_mutex_unlock(&s->mutex);
    return step;
}

void steps_close(steps *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->mutex);
    while (s->under_way)
        pthread_cond_wait(&s->quiet, &s->mutex);
    s->closing = 1;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->mutex);
    for (unsigned i = 0; i < s->thread_count; i++)
        pthread_join(s->threads[i], NULL);
    if (s->event >= 0)
        close(s->event);
    pthread_cond_destroy(&s->quiet);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->mutex);
    deja_free(s);
}
