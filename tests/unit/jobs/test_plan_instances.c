/*
 * plan.h: who waits for whom, instance by instance, against a graph that is found by comparing all with all,
 * on random batches.
 */
#include "batch_fixture.h"

#include "plan.h"
#include <deja/cleanup.h>
#include <stdlib.h>

enum { MOST_JOBS = 5, MOST_INSTANCES = 12, MOST = MOST_JOBS * MOST_INSTANCES };

/* Numbers all instances of a batch one after the other. */
typedef struct world {
    batch *b;
    uint32_t first[MOST_JOBS + 1];
    uint8_t waits[MOST][MOST];           /* [reader][maker]; 2: it counts, 1: only its order */
    uint8_t reads[MOST_JOBS][MOST_JOBS]; /* some instance reads a file of some other */
    selection *chosen;
    int only;
    uint8_t wanted[MOST];
} world;

static int agree(const job *a, const job *b)
{
    for (size_t i = 0; i < a->def->matrix->count; i++)
        for (size_t k = 0; k < b->def->matrix->count; k++)
            if (strcmp(a->def->matrix->axes[i].name, b->def->matrix->axes[k].name) == 0 &&
                strcmp(a->values[i], b->values[k]) != 0)
                return 0;
    return 1;
}

static int reads(const job *reader, const job *maker)
{
    for (size_t i = 0; i < reader->input_count; i++)
        for (size_t k = 0; k < maker->output_count; k++)
            if (strcmp(reader->inputs[i].path, maker->outputs[k].path) == 0)
                return 1;
    return 0;
}

static int needs(const job *reader, const job *maker)
{
    for (size_t i = 0; i < reader->def->need_count; i++) {
        const batch_need *need = &reader->def->needs[i];
        if (need->job == maker->def->number && (need->all || agree(reader, maker)))
            return need->order_only ? 1 : 2;
    }
    return 0;
}

static void render(const world *w, job *j, uint32_t def, uint32_t number)
{
    deja_error err;
    if (job_render(j, w->b, &w->b->jobs[def], number - w->first[def], JOB_FILES, &err) < 0)
        fail_msg("%s", err.text);
}

static void look_at_pair(world *w, uint32_t reader, uint32_t maker)
{
    for (uint32_t r = w->first[reader]; r < w->first[reader + 1]; r++)
        for (uint32_t m = w->first[maker]; m < w->first[maker + 1]; m++) {
            job one = {0}, other = {0};
            render(w, &one, reader, r);
            render(w, &other, maker, m);
            w->waits[r][m] = (uint8_t)needs(&one, &other);
            if (reads(&one, &other))
                w->waits[r][m] = 2, w->reads[reader][maker] = 1;
            job_done(&one);
            job_done(&other);
        }
}

static void look_at_all(world *w)
{
    for (uint32_t i = 0; i < w->b->job_count; i++) {
        uint32_t count;
        assert_int_equal(matrix_count(w->b->jobs[i].matrix, &count, NULL), 0);
        assert_true(count <= MOST_INSTANCES);
        w->first[i + 1] = w->first[i] + count;
    }
    for (uint32_t i = 0; i < w->b->job_count; i++)
        for (uint32_t k = 0; k < i; k++)
            look_at_pair(w, i, k);
}

/* ---- random batches ---- */

static void add_axes(deja_buffer *text, int number)
{
    static const char *const values[] = {"[1, 2, 3]", "[3, 1]", "{range: [1, 3]}", "[2, x, 1]", "[1]"};
    int axes = rand() % 3, from = rand() % 3;
    deja_buffer_addf(text, "  j%d:\n    run: x\n", number);
    for (int i = 0; i < axes; i++)
        deja_buffer_addf(text, "%s%c: %s%s", i ? ", " : "    matrix: {", 'a' + (from + i) % 3,
                         values[rand() % 5], i + 1 == axes ? "}\n" : "");
}

static void add_needs(deja_buffer *text, int number)
{
    static const char *const hows[] = {"", "", "", "all", "order", "[order, all]"};
    const char *between = "    needs: {";
    for (int i = 0; i < number; i++)
        if (rand() % 3 == 0) {
            deja_buffer_addf(text, "%sj%d: %s", between, i, hows[rand() % 6]);
            between = ", ";
        }
    if (between[0] == ',')
        deja_buffer_add_string(text, "}\n");
}

/* Outputs are named by all values, inputs by some and fixed ones: that may or may not be somebody's output.
 */
static void add_files(deja_buffer *text, batch *b, int number)
{
    const matrix *m = b->jobs[number].matrix;
    deja_buffer_addf(text, "    outputs: [\"o%d", number);
    for (size_t i = 0; i < m->count; i++)
        deja_buffer_addf(text, "-${{ %s }}", m->axes[i].name);
    deja_buffer_add_string(text, "\"]\n");
    for (int i = 0; i < number; i++) {
        const matrix *other = b->jobs[i].matrix;
        if (rand() % 4)
            continue;
        deja_buffer_addf(text, "    inputs: [\"o%d", i);
        for (size_t k = 0; k < other->count; k++)
            if (matrix_axis_of(m, other->axes[k].name) && rand() % 3)
                deja_buffer_addf(text, "-${{ %s }}", other->axes[k].name);
            else
                deja_buffer_addf(text, "-%d", 1 + rand() % 3);
        deja_buffer_add_string(text, "\"]\n");
        break;
    }
}

/* NULL: an instance needs one that there is not. */
static batch *random_batch(unsigned seed)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0}, bare = {0};
    int jobs = 2 + rand() % (MOST_JOBS - 1);
    batch *b = NULL;
    deja_buffer_add_string(&text, "version: 1\njobs:\n");
    for (int i = 0; i < jobs; i++) {
        add_axes(&text, i);
        deja_buffer_clear(&bare);
        deja_buffer_add_string(&bare, deja_buffer_string(&text));
        deja_error err;
        batch *so_far;
        if (batch_load_text(&so_far, "deja.yaml", bare.data, bare.len, "/", &err) < 0) {
            if (!strstr(err.text, "there is no 'j"))
                fail_msg("seed %u: %s", seed, err.text);
            return NULL;
        }
        add_needs(&text, i);
        add_files(&text, so_far, i);
        batch_free(so_far);
    }
    deja_error err;
    if (batch_load_text(&b, "deja.yaml", text.data, text.len, "/", &err) < 0 &&
        !strstr(err.text, "there is no 'j"))
        fail_msg("seed %u: %s", seed, err.text);
    return b;
}

/* ---- selections ---- */

static void choose_word(const world *w, deja_buffer *word)
{
    const batch_job *def = &w->b->jobs[(uint32_t)rand() % w->b->job_count];
    const matrix *m = def->matrix;
    deja_buffer_add_string(word, def->name);
    if (m->count == 0 || rand() % 3 == 0)
        return;
    const matrix_axis *axis = &m->axes[(size_t)rand() % m->count];
    deja_buffer_addf(word, "[%s=", axis->name);
    matrix_value(axis, (uint32_t)rand() % axis->count, word);
    deja_buffer_add_char(word, ']');
}

static int add_wanted(world *w, uint32_t total)
{
    int more = 0;
    for (uint32_t r = 0; r < total; r++)
        for (uint32_t m = 0; w->wanted[r] && m < total; m++)
            if (w->waits[r][m] && !w->wanted[m])
                more = w->wanted[m] = 1;
    return more;
}

static void choose(world *w)
{
    DEJA_AUTO_BUFFER deja_buffer one = {0}, other = {0};
    uint32_t total = w->first[w->b->job_count];
    if (rand() % 2) {
        choose_word(w, &one);
        choose_word(w, &other);
        const char *const words[] = {deja_buffer_string(&one), deja_buffer_string(&other)};
        assert_int_equal(selection_open(&w->chosen, w->b, words, 2, NULL), 0);
        w->only = rand() % 2;
    }
    for (uint32_t d = 0; d < w->b->job_count; d++)
        for (uint32_t i = w->first[d]; i < w->first[d + 1]; i++)
            w->wanted[i] = (uint8_t)selection_has(w->chosen, &w->b->jobs[d], i - w->first[d]);
    while (!w->only && add_wanted(w, total))
        ;
}

/* ---- a run ---- */

typedef struct progress {
    uint8_t taken[MOST], settled[MOST];
    plan_end end[MOST];
    uint32_t running[MOST], running_count;
} progress;

/* What the others make of an instance: the worst that counts of those that it waits for. -1: some is not
 * settled. */
static int fate_of(const world *w, const progress *s, uint32_t number, uint32_t total)
{
    int fate = PLAN_LEFT;
    for (uint32_t m = 0; m < total; m++) {
        if (!w->waits[number][m] || !w->wanted[m])
            continue;
        if (!s->settled[m])
            return -1;
        int ordered = w->waits[number][m] == 1 && s->end[m] != PLAN_FAILED;
        int end = ordered ? PLAN_LEFT : s->end[m] == PLAN_MISSING ? PLAN_FAILED : (int)s->end[m];
        fate = end > fate ? end : fate;
    }
    return fate;
}

/* A file counts for all instances of its reader where these also need the maker, all of it, for the order. */
static int ready_reads(const world *w, const plan_ready *ready)
{
    return w->reads[ready->def->number][ready->blocked_by->number];
}

static void take_all(const world *w, plan *p, progress *s, uint32_t total, unsigned seed)
{
    plan_ready ready;
    while (plan_next(p, &ready)) {
        uint32_t number = w->first[ready.def->number] + ready.index;
        int fate = fate_of(w, s, number, total);
        int said = !ready.blocked_by ? PLAN_LEFT : ready.would ? PLAN_UNKNOWN : PLAN_FAILED;
        int careful = said > fate && ready_reads(w, &ready);
        if (!w->wanted[number] || s->taken[number] || (fate != said && !careful))
            fail_msg("seed %u: instance %u of '%s' (taken %d): is %d, said %d", seed, ready.index,
                     ready.def->name, s->taken[number], fate, said);
        s->taken[number] = 1;
        s->end[number] = ready.blocked_by ? (ready.would ? PLAN_UNKNOWN : PLAN_FAILED) : (plan_end)-1;
        s->running[s->running_count++] = number;
    }
    for (uint32_t i = 0; i < total; i++)
        if (w->wanted[i] && !s->taken[i] && fate_of(w, s, i, total) >= 0)
            fail_msg("seed %u: instance %u waits for nothing, and does not start", seed, i);
}

static void settle_one(const world *w, plan *p, progress *s)
{
    uint32_t at = (uint32_t)rand() % s->running_count, number = s->running[at], def = 0;
    s->running[at] = s->running[--s->running_count];
    while (number >= w->first[def + 1])
        def++;
    if ((int)s->end[number] < 0)
        s->end[number] = rand() % 6 == 0   ? PLAN_FAILED
                         : rand() % 6 == 0 ? PLAN_UNKNOWN
                         : rand() % 6 == 0 ? PLAN_MISSING
                                           : PLAN_LEFT;
    s->settled[number] = 1;
    deja_hash left = {{(uint8_t)(number + 1)}};
    plan_settle(p, &w->b->jobs[def], number - w->first[def], s->end[number], &left, 0);
}

/* What needed jobs left is told of these instances, in their order, and of no others. */
static void check_left(const world *w, plan *p, uint32_t def, uint32_t index)
{
    const batch_job *d = &w->b->jobs[def];
    job reader = {0};
    render(w, &reader, def, w->first[def] + index);
    for (size_t i = 0; i < d->need_count; i++) {
        deja_hash all[MOST], got;
        size_t n = 0;
        for (uint32_t m = w->first[d->needs[i].job]; m < w->first[d->needs[i].job + 1]; m++) {
            job maker = {0};
            render(w, &maker, d->needs[i].job, m);
            if (!w->wanted[m])
                return job_done(&maker), job_done(&reader);
            if (d->needs[i].all || agree(&reader, &maker))
                all[n++] = (deja_hash){{(uint8_t)(m + 1)}};
            job_done(&maker);
        }
        deja_hash expected = deja_hash_bytes(all, n * sizeof *all);
        if (w->b->jobs[d->needs[i].job].needed) {
            assert_int_equal(plan_left(p, &d->needs[i], index, &got), 1);
            assert_true(deja_hash_equal(&got, &expected));
        }
    }
    job_done(&reader);
}

static void run(world *w, unsigned seed)
{
    plan *p;
    deja_error err;
    progress s = {0};
    int unexpanded;
    look_at_all(w);
    choose(w);
    if ((w->only ? plan_open_only : plan_open)(&p, w->b, w->chosen, &err) < 0)
        fail_msg("seed %u: %s", seed, err.text);
    uint32_t total = w->first[w->b->job_count], wanted = 0;
    for (uint32_t i = 0; i < total; i++)
        wanted += w->wanted[i];
    assert_int_equal(plan_total(p, &unexpanded), wanted);
    for (take_all(w, p, &s, total, seed); s.running_count > 0; take_all(w, p, &s, total, seed))
        settle_one(w, p, &s);
    for (uint32_t i = 0; i < total; i++)
        assert_int_equal(s.settled[i], w->wanted[i]);
    assert_true(plan_finished(p));
    for (uint32_t d = 0; d < w->b->job_count; d++)
        for (uint32_t i = 0; i < w->first[d + 1] - w->first[d]; i++)
            check_left(w, p, d, i);
    plan_close(p);
    selection_close(w->chosen);
}

static void test_plan__waits_for_no_more_and_no_less_than_it_must(void **state)
{
    (void)state;
    int ran = 0;
    for (unsigned seed = 1; seed <= 3000; seed++) {
        srand(seed);
        world w = {.b = random_batch(seed)};
        if (w.b)
            run(&w, seed);
        ran += w.b != NULL;
        batch_free(w.b);
    }
    assert_true(ran > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan__waits_for_no_more_and_no_less_than_it_must)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
