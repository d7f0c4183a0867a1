/* Jobs that are tried again, see retry.h. */
#include "retry.h"
#include "aside.h"
#include "ending.h"
#include "outputs.h"
#include <deja/cleanup.h>

/* Growing the delay ends here at the latest: 2^63 ns, or a sum of two such, is no time. */
#define DELAY_MOST (INT64_MAX / 4)

int64_t retry_delay_ns(const batch_retries *r, unsigned attempt, uint64_t chance)
{
    double delay = (double)r->delay_ns, most = (double)(r->most_ns < DELAY_MOST ? r->most_ns : DELAY_MOST);
    for (unsigned i = 2; i < attempt && delay < most && r->backoff > 1; i++)
        delay *= r->backoff;
    delay = delay < most ? delay : most;
    double part = (double)(chance >> 11) / (double)(UINT64_C(1) << 53); /* 0 to 1, as many bits as fit */
    return (int64_t)(delay * (1 + r->jitter * (2 * part - 1)));
}

/* Differs from job to job and from run to run, so that those who failed together do not come back together.
 */
static uint64_t chance(active *a, const char *run_id)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_addf(&text, "%s:%s:%u", run_id, active_name(a), a->attempt);
    return deja_hash64(deja_buffer_string(&text), text.len);
}

/* What this attempt left is not its result. */
static void forget(active *a)
{
    deja_outcome_done(&a->outcome);
    deja_product_done(&a->product);
    deja_buffer_done(&a->image);
    deja_free(a->why);
    a->why = NULL;
    a->outcome.out.fd = a->outcome.err.fd = a->product.fd = -1;
}

int retry_later(active *a, const deja_error *why)
{
    const flow *f = a->flow;
    const batch_retries *r = active_retries(a);
    if (a->outcome.terminated || a->outcome.exec_errno || f->stopping || f->failed || a->attempt > r->times)
        return 0;
    if (!a->job.def->keep_failed)
        outputs_remove(&a->job);
    a->attempt++;
    int64_t delay_ns = retry_delay_ns(r, a->attempt, chance(a, f->options.run_id));
    ending_attempt(a, why, delay_ns);
    forget(a);
    active_release(a);
    aside_until(a, deja_monotonic_ns(NULL) + delay_ns);
    return 1;
}

void retry_give_up(active *a)
{
    DEJA_AUTO_BUFFER deja_buffer reason = {0};
    deja_buffer_addf(&reason, "the run ended before attempt %u", a->attempt);
    ending_skipped(a, deja_buffer_string(&reason));
}
