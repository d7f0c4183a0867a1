/*
 * Names are compared by hash, in the index of outputs: what is read by name is looked up there. Patterns and
 * folders are found from the other side, by what is made.
 */
#include "makers.h"
#include "batch_read.h"
#include "glob.h"
#include "job_paths.h"
#include "listings.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>

/* A definition. */
typedef struct reader {
    unsigned added; /* MAKERS_ of what is known of it */
    uint32_t instances;
    uint64_t *names; /* hashes of the paths that its instances read by name */
    size_t count, cap;
    uint64_t folder; /* hash of the folder whose way was noted last */
} reader;

struct makers {
    batch *batch;
    makers_found found;
    void *context;
    outputs_index index;
    int has_outputs;     /* some job has */
    uint32_t incomplete; /* definitions of which not all is added */
    reader *readers;
    listings listings;
};

static int out_of_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "plan: out of memory");
}

/* ---- adding ---- */

static int note_hash(reader *r, uint64_t hash)
{
    if (r->count && r->names[r->count - 1] == hash)
        return 0;
    uint64_t *more = deja_grow(r->names, r->count, &r->cap, sizeof *more);
    if (!more)
        return DEJA_ENOMEM;
    r->names = more;
    more[r->count++] = hash;
    return 0;
}

/* How much of what an input names is a path, and no pattern. */
static size_t plain_len(const job_input *in)
{
    return in->pattern ? strcspn(in->path, "*?[\\") : strlen(in->path);
}

/* The folders on the way to the first `len` bytes of a path: each may be an output that is a link. */
static int note_folders(reader *r, const char *path, size_t len)
{
    const char *slash = memrchr(path, '/', len);
    uint64_t folder = slash ? deja_hash64(path, (size_t)(slash - path)) : 0;
    int status = 0;
    if (!slash || folder == r->folder)
        return 0;
    r->folder = folder;
    for (size_t i = 1; status == 0 && i < len; i++)
        if (path[i] == '/')
            status = note_hash(r, deja_hash64(path, i));
    return status;
}

static int note_name(reader *r, const char *path)
{
    int status = note_folders(r, path, strlen(path));
    return status == 0 ? note_hash(r, outputs_path_hash(path)) : status;
}

/* An input folder may itself be an output, a link to one. */
static int note_input(makers *m, uint32_t number, const job_input *in)
{
    reader *r = &m->readers[number];
    int status = in->pattern ? note_folders(r, in->path, plain_len(in)) : note_name(r, in->path);
    return status == 0 && (in->pattern || in->folder) ? listings_add(&m->listings, number, in, 0) : status;
}

static int note_reads(makers *m, job *j, deja_error *err)
{
    uint32_t number = j->def->number;
    const char *program;
    int status = 0;
    for (size_t at = 0; status == 0 && (program = job_paths_program(j, at)); at++)
        status = note_name(&m->readers[number], program);
    if (status == 0 && j->stdin_path)
        status = note_name(&m->readers[number], j->stdin_path);
    for (size_t i = 0; status == 0 && i < j->input_count; i++)
        status = note_input(m, number, &j->inputs[i]);
    return status == 0 && !j->arena.failed ? 0 : out_of_memory(err);
}

/* What the axes of a matrix are read from. */
static int note_matrix(makers *m, const batch_job *def, deja_error *err)
{
    for (size_t i = 0; m->has_outputs && def->matrix_reads && i < def->matrix->count; i++)
        for (size_t k = 0; def->axes[i].from != AXIS_FIXED && k < def->axes[i].count; k++) {
            const batch_axis *from = &def->axes[i];
            DEJA_AUTO_BUFFER deja_buffer path = {0};
            if (from->from == AXIS_GLOB)
                deja_buffer_add_string(&path, from->texts[k]);
            else
                glob_escape(&path, from->texts[k], strlen(from->texts[k]));
            const char *text = deja_buffer_string(&path);
            while (strncmp(text, "./", 2) == 0)
                text += 2;
            job_input in = {.path = text, .pattern = 1, .at = from->marks[k]};
            if (path.failed || listings_add(&m->listings, def->number, &in, 1) < 0)
                return out_of_memory(err);
        }
    return 0;
}

/* All instances execute the same program: the first word of the command has no expression, nor has the
 * folder or the PATH. */
static int has_one_program(const batch_job *def)
{
    if (def->run == BATCH_CALL)
        return 1;
    const template_text *t = def->words[0].template;
    const batch_env *path = job_paths_searched(def);
    if ((def->cwd && def->cwd->template->expr_count > 0) || (path && path->value.template->expr_count > 0))
        return 0;
    if (def->run == BATCH_ARGV || t->expr_count == 0)
        return t->expr_count == 0;
    DEJA_AUTO_BUFFER deja_buffer first = {0};
    if (!t->parts[0].expr)
        deja_buffer_add(&first, t->source + t->parts[0].offset, t->parts[0].len);
    return !first.failed && shell_first_word_ends(deja_buffer_string(&first));
}

/* What is needed to know what an instance reads; where all execute one program the first one tells it. */
static unsigned read_parts(const batch_job *def, uint32_t index)
{
    return def->stdin_path || index == 0 || !has_one_program(def) ? JOB_ALL : JOB_FILES;
}

/* Its old output would be removed before it runs. */
static int check_program(job *j, deja_error *err)
{
    const char *program;
    for (size_t at = 0; (program = job_paths_program(j, at)); at++)
        for (size_t i = 0; i < j->output_count && (j->library || strchr(j->program, '/')); i++)
            if (strcmp(j->outputs[i].path, program) == 0)
                return source_fail(&j->batch->source, j->outputs[i].at, err,
                                   "output '%s' is also the %s of '%s'", program,
                                   j->library ? "library" : "program", j->def->name);
    return 0;
}

static int add_paths(makers *m, job *j, unsigned what, deja_error *err)
{
    int status = what & MAKERS_MADE ? outputs_index_add(&m->index, m->batch, j, err) : 0;
    if (status == 0 && what & MAKERS_READ)
        status = outputs_check_inputs(&m->index, j, err);
    if (status == 0 && what & MAKERS_READ)
        status = check_program(j, err);
    return status == 0 && what & MAKERS_READ ? note_reads(m, j, err) : status;
}

/* How many instances are to be looked at. Without outputs in the whole batch nothing that is read matters;
 * without inputs the first one tells the program. */
static uint32_t count_of_interest(const makers *m, const batch_job *def, uint32_t instances, unsigned what)
{
    if (what & MAKERS_MADE && def->output_count > 0)
        return instances;
    if (!(what & MAKERS_READ) || !m->has_outputs)
        return 0;
    return def->input_count > 0 || def->stdin_path || !has_one_program(def) ? instances : instances > 0;
}

int makers_add(makers *m, const batch_job *def, uint32_t instances, unsigned what, deja_error *err)
{
    reader *r = &m->readers[def->number];
    uint32_t count = count_of_interest(m, def, instances, what);
    job j = {0};
    int status = what & MAKERS_MADE ? note_matrix(m, def, err) : 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        status = job_render(&j, m->batch, def, i, what & MAKERS_READ ? read_parts(def, i) : JOB_OUTPUTS, err);
        if (status == 0)
            status = add_paths(m, &j, what, err);
    }
    job_done(&j);
    r->added |= what;
    m->incomplete -= r->added == (MAKERS_MADE | MAKERS_READ);
    r->instances = instances;
    return status;
}

/* ---- names ---- */

/* Some name that it reads may be an output, of job `maker` or (-1) of any, as far as hashes tell. */
static int may_read(const makers *m, const reader *r, int64_t maker)
{
    for (size_t i = 0; i < r->count; i++)
        if (outputs_index_has(&m->index, r->names[i], maker))
            return 1;
    return 0;
}

static int link_made_as(makers *m, int64_t only, const char *made, makers_pair pair, deja_error *err)
{
    pair.made = made;
    if (!outputs_index_has(&m->index, outputs_path_hash(made), only))
        return 0;
    int status = outputs_index_find(&m->index, m->batch, made, &pair.maker, &pair.maker_index, err);
    if (status <= 0 || (only >= 0 && pair.maker != only))
        return status < 0 ? status : 0;
    return m->found(m->context, &pair, err);
}

/* The maker of what an input names, and of each folder on the way to it. */
static int link_input(makers *m, const makers_pair *of, int64_t only, const job_input *in, deja_error *err)
{
    makers_pair pair = *of;
    size_t len = plain_len(in);
    pair.read = in->path;
    pair.at = in->at;
    int status = in->pattern ? 0 : link_made_as(m, only, in->path, pair, err);
    DEJA_AUTO_BUFFER deja_buffer folder = {0};
    for (size_t i = 1; status == 0 && i < len; i++) {
        if (in->path[i] != '/')
            continue;
        deja_buffer_clear(&folder);
        deja_buffer_add(&folder, in->path, i);
        status = folder.failed ? out_of_memory(err) : link_made_as(m, only, folder.data, pair, err);
    }
    return status;
}

static int link_name(makers *m, const makers_pair *of, int64_t only, const char *path, mark at,
                     deja_error *err)
{
    return link_input(m, of, only, &(job_input){.path = path, .at = at}, err);
}

static mark mark_of_program(const batch_job *def)
{
    return def->run == BATCH_CALL ? def->call_at : def->words[0].at;
}

/* Of a program it is not told whose it is: where all have one only the first instance is looked at. */
static int link_instance(makers *m, job *j, int64_t only, deja_error *err)
{
    const batch_job *def = j->def;
    const makers_pair all = {.reader = def->number, .reader_index = MAKERS_ALL};
    const makers_pair one = {.reader = def->number, .reader_index = j->index};
    const char *program;
    int status = 0;
    for (size_t at = 0; status == 0 && (program = job_paths_program(j, at)); at++)
        status = link_name(m, &all, only, program, mark_of_program(def), err);
    for (size_t k = 0; status == 0 && k < j->input_count; k++)
        status = link_input(m, &one, only, &j->inputs[k], err);
    if (status == 0 && j->stdin_path)
        status = link_name(m, &one, only, j->stdin_path, def->stdin_path->at, err);
    return status;
}

static int link_names(makers *m, uint32_t number, int64_t only, deja_error *err)
{
    const batch_job *def = &m->batch->jobs[number];
    const reader *r = &m->readers[number];
    job j = {0};
    int status = 0, maybe = may_read(m, r, only);
    for (uint32_t i = 0; maybe && status == 0 && i < r->instances; i++) {
        status = job_render(&j, m->batch, def, i, read_parts(def, i), err);
        if (status == 0)
            status = link_instance(m, &j, only, err);
    }
    job_done(&j);
    return status;
}

/* ---- patterns and folders ---- */

static int link_listing(void *context, const listing *of, const char *path, uint32_t maker, deja_error *err)
{
    const makers *m = context;
    makers_pair pair = {.reader = of->reader,
                        .maker = maker,
                        .reader_index = MAKERS_ALL,
                        .maker_index = MAKERS_ALL,
                        .read = of->input.path,
                        .made = path,
                        .at = of->input.at,
                        .in_matrix = of->in_matrix};
    return m->found(m->context, &pair, err);
}

/* Patterns outside the batch's folder, or around it, are absolute. */
static int link_output(makers *m, uint32_t maker, int64_t only, const char *path, deja_error *err)
{
    int status = path[0] == '/' ? 0 : listings_find(&m->listings, path, maker, only, link_listing, m, err);
    if (status < 0 || !m->listings.has_absolute)
        return status;
    DEJA_AUTO_BUFFER deja_buffer full = {0};
    deja_path_join(&full, m->batch->folder, path);
    return full.failed ? out_of_memory(err)
                       : listings_find(&m->listings, full.data, maker, only, link_listing, m, err);
}

static int link_listings(makers *m, uint32_t maker, int64_t only, deja_error *err)
{
    const batch_job *def = &m->batch->jobs[maker];
    const reader *r = &m->readers[maker];
    job j = {0};
    int status = 0, any = m->listings.count > 0 && def->output_count > 0;
    for (uint32_t i = 0; any && status == 0 && i < r->instances; i++) {
        status = job_render(&j, m->batch, def, i, JOB_OUTPUTS, err);
        for (size_t k = 0; status == 0 && k < j.output_count; k++)
            status = link_output(m, maker, only, j.outputs[k].path, err);
    }
    job_done(&j);
    return status;
}

/* ---- linking ---- */

static void forget(makers *m)
{
    if (m->incomplete > 0)
        return;
    for (uint32_t i = 0; i < m->batch->job_count; i++) {
        deja_free(m->readers[i].names);
        m->readers[i].names = NULL;
        m->readers[i].count = m->readers[i].cap = 0;
    }
    listings_done(&m->listings);
}

int makers_link_all(makers *m, deja_error *err)
{
    int status = 0;
    listings_sort(&m->listings);
    for (uint32_t i = 0; status == 0 && i < m->batch->job_count; i++) {
        status = link_names(m, i, -1, err);
        if (status == 0)
            status = link_listings(m, i, -1, err);
    }
    forget(m);
    return status;
}

/* What others read of what `number` makes. */
static int link_made(makers *m, uint32_t number, deja_error *err)
{
    int status = link_listings(m, number, -1, err);
    for (uint32_t i = 0; status == 0 && i < m->batch->job_count; i++)
        if (i != number)
            status = link_names(m, i, number, err);
    return status;
}

/* What `number` reads of what others make. */
static int link_read(makers *m, uint32_t number, deja_error *err)
{
    int listed = listings_has(&m->listings, number), status = link_names(m, number, -1, err);
    for (uint32_t i = 0; listed && status == 0 && i < m->batch->job_count; i++)
        status = link_listings(m, i, number, err);
    return status;
}

int makers_link(makers *m, const batch_job *def, unsigned what, deja_error *err)
{
    listings_sort(&m->listings);
    int status = what & MAKERS_MADE ? link_made(m, def->number, err) : 0;
    if (status == 0 && what & MAKERS_READ)
        status = link_read(m, def->number, err);
    forget(m);
    return status;
}

/* ---- life ---- */

int makers_open(makers **ret, batch *b, makers_found found, void *context, deja_error *err)
{
    makers *m = deja_calloc(1, sizeof *m);
    if (m)
        m->readers = deja_calloc(b->job_count ? b->job_count : 1, sizeof *m->readers);
    if (!m || !m->readers) {
        deja_free(m);
        return out_of_memory(err);
    }
    m->batch = b;
    m->found = found;
    m->context = context;
    m->incomplete = b->job_count;
    for (uint32_t i = 0; i < b->job_count; i++)
        m->has_outputs |= b->jobs[i].output_count > 0;
    *ret = m;
    return 0;
}

int makers_find(const makers *m, const char *path, uint32_t *ret_job, uint32_t *ret_index, deja_error *err)
{
    return outputs_index_find(&m->index, m->batch, path, ret_job, ret_index, err);
}

void makers_close(makers *m)
{
    if (!m)
        return;
    m->incomplete = 0;
    forget(m);
    outputs_index_done(&m->index);
    deja_free(m->readers);
    deja_free(m);
}
