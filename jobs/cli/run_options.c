/* What the options of commands that run many jobs say, see run_options.h. */
#include "run_options.h"

enum { MOST_SLOTS = 65536 }; /* a number that cannot be meant is a mistake */

int run_options_take(run_options *o, const args *a, int id, deja_error *err)
{
    switch (id) {
    case RUN_JOBS:
        return args_number(a, "--jobs", 1, MOST_SLOTS, &o->slots, err);
    case RUN_CACHE:
        o->cache = a->value;
        return *a->value ? 0 : deja_fail(err, DEJA_EINVAL, "--cache needs a folder");
    case RUN_DRY_RUN:
        return o->dry_run = 1, 0;
    case RUN_FORCE:
        return o->force = 1, 0;
    case RUN_KEEP_GOING:
        return o->fail_fast = 0, 0;
    case RUN_FAIL_FAST:
        return o->fail_fast = 1, 0;
    case RUN_KEEP_EDITED:
        return o->keep_edited = 1, 0;
    case RUN_QUIET:
        return o->quiet = 1, 0;
    case RUN_VERBOSE:
        return o->verbose = 1, 0;
    case RUN_NO_PROGRESS:
        return o->no_progress = 1, 0;
    default:
        return o->json = 1, 0;
    }
}
