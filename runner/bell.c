/*
 * The bell: a futex word with a count of sleepers beside it, so that ringing costs a system call only where
 * somebody sleeps. The order of the two words matters: a sleeper counts itself before it looks at the number
 * (in the kernel), a ringer bumps the number before it looks at the count; one of them sees the other.
 */
#include "bell.h"

#include <deja/clock.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint32_t number(const uint32_t *bell)
{
    return __atomic_load_n(bell, __ATOMIC_ACQUIRE);
}

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The clock is asked seldom: it costs as much as some turns. */
static int spin(const uint32_t *bell, uint32_t seen, int64_t spin_ns)
{
    int64_t end = spin_ns > 0 ? deja_monotonic_ns(NULL) + spin_ns : 0;
    do {
        for (int i = 0; i < 32; i++) {
            if (number(bell) != seen)
                return 1;
            pause_cpu();
        }
        sched_yield(); /* who is to ring may have been put on this very processor */
    } while (end && deja_monotonic_ns(NULL) < end);
    return 0;
}

/* Not FUTEX_PRIVATE: workers ring, too. */
static void sleep_until(uint32_t *bell, uint32_t seen, int64_t until_ns)
{
    struct timespec at = {.tv_sec = until_ns / DEJA_S_NS, .tv_nsec = until_ns % DEJA_S_NS};
    syscall(SYS_futex, bell, FUTEX_WAIT_BITSET, seen, until_ns == INT64_MAX ? NULL : &at, NULL,
            FUTEX_BITSET_MATCH_ANY);
}

void bell_ring(uint32_t *bell)
{
    __atomic_add_fetch(bell, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(bell + 1, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

int bell_wait(uint32_t *bell, uint32_t seen, int64_t until_ns, int64_t spin_ns)
{
    if (number(bell) != seen || spin(bell, seen, spin_ns))
        return 1;
    __atomic_add_fetch(bell + 1, 1, __ATOMIC_SEQ_CST);
    while (number(bell) == seen && (until_ns == INT64_MAX || deja_monotonic_ns(NULL) < until_ns))
        sleep_until(bell, seen, until_ns);
    __atomic_sub_fetch(bell + 1, 1, __ATOMIC_SEQ_CST);
    return number(bell) != seen;
}
