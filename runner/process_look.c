/*
 * Looks at what tells nothing by itself: a zygote that was killed or stopped, a worker that was stopped and
 * so neither takes the task that it was woken for nor lets others be woken. They come while something is
 * under way.
 */
#include "process.h"
#include "zygote.h"

#include <deja/clock.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { look_ms = 100 };

/* The zygote rings no bell when it is killed. */
static void look_at_zygote(process *p)
{
    if (p->lost || !p->zygote)
        return;
    process_continue_zygote(p);
    if (!zygote_ended(&p->shop, 0))
        return;
    p->lost = 1;
    process_collect(&p->base);
    process_fail_all(p);
    pool_warn(p->pool, "the process that workers are made from was ended: functions cannot run in processes "
                       "until this is closed and another one opened");
}

/* Nobody took anything since the last look though there was something: whoever was woken for it, or said to
 * be looking, does not. */
static void look_at_ring(process *p)
{
    boards *b = &p->shop.boards;
    uint64_t head = atomic_load(&b->control->head);
    if (head == p->last_head && boards_have_work(b))
        boards_rouse(b);
    p->last_head = head;
}

void process_continue_zygote(const process *p)
{
    if (p->zygote_fd >= 0)
        syscall(SYS_pidfd_send_signal, p->zygote_fd, SIGCONT, NULL, 0);
}

void process_watch(process *p)
{
    if (!p->watched)
        pool_due(p->pool, deja_monotonic_ns(NULL) + look_ms * DEJA_MS_NS);
    p->watched = 1;
}

int64_t process_look(backend *b, int64_t now_ns)
{
    process *p = (process *)b;
    look_at_zygote(p);
    look_at_ring(p);
    int idle = p->free_count == slot_count && !p->runs;
    p->watched = !idle && !p->lost;
    return !p->watched ? INT64_MAX : now_ns + (p->kills ? process_kill_again_ns : look_ms * DEJA_MS_NS);
}
