/*
 * The limit of open descriptors. A low soft limit is for programs that use select(2), as jobs may: they keep
 * theirs.
 */
#include "descriptors.h"

int descriptors_raise(struct rlimit *ret_before)
{
    struct rlimit before, raised;
    if (getrlimit(RLIMIT_NOFILE, &before) < 0 || before.rlim_cur == before.rlim_max)
        return 0;
    raised = (struct rlimit){.rlim_cur = before.rlim_max, .rlim_max = before.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) < 0)
        return 0;
    *ret_before = before;
    return 1;
}
