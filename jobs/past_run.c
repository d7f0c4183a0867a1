/* The record of a run, read: see past_run.h. */
#include "past_run.h"
#include "json_read.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { META_BYTES = 64 << 20 }; /* of meta.json: names of jobs are in it */

/* ---- meta.json ---- */

static void read_totals(json_reader *r, flow_totals *t)
{
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    const struct {
        const char *name;
        uint64_t *to;
    } counts[] = {{"total", &t->total},      {"done", &t->done},     {"hits", &t->hits},
                  {"ran", &t->ran},          {"failed", &t->failed}, {"skipped", &t->skipped},
                  {"not_kept", &t->not_kept}};
    json_enter(r, '{');
    while (json_next_member(r, &name)) {
        size_t i = 0;
        while (i < sizeof counts / sizeof *counts && strcmp(name.data, counts[i].name) != 0)
            i++;
        if (i < sizeof counts / sizeof *counts)
            *counts[i].to = (uint64_t)json_take_int(r);
        else if (!strcmp(name.data, "saved_s"))
            t->saved_ns = json_take_seconds(r);
        else if (!strcmp(name.data, "ran_s"))
            t->ran_ns = json_take_seconds(r);
        else
            json_skip(r);
    }
}

static void read_arguments(json_reader *r, deja_buffer *to)
{
    DEJA_AUTO_BUFFER deja_buffer word = {0};
    json_enter(r, '[');
    while (json_next_element(r)) {
        json_take_string(r, &word);
        if (to->len)
            deja_buffer_add_char(to, ' ');
        deja_buffer_add(to, deja_buffer_string(&word), word.len);
    }
}

static void read_names(json_reader *r, past_run *run)
{
    DEJA_AUTO_BUFFER deja_buffer word = {0};
    json_enter(r, '[');
    while (json_next_element(r)) {
        json_take_string(r, &word);
        deja_buffer_add_string(&run->names, deja_buffer_string(&word));
        deja_buffer_add_char(&run->names, '\0');
        run->name_count++;
    }
}

static void read_member(json_reader *r, past_run *run, const char *name)
{
    if (!strcmp(name, "batch"))
        json_take_string(r, &run->batch);
    else if (!strcmp(name, "batch_base64"))
        json_take_base64(r, &run->batch);
    else if (!strcmp(name, "command"))
        json_take_string(r, &run->command);
    else if (!strcmp(name, "argv"))
        read_arguments(r, &run->arguments);
    else if (!strcmp(name, "pid"))
        run->pid = (uint32_t)json_take_int(r);
    else if (!strcmp(name, "slots"))
        run->slots = (unsigned)json_take_int(r);
    else if (!strcmp(name, "start_ns"))
        run->start_ns = json_take_int(r);
    else if (!strcmp(name, "end_ns"))
        run->end_ns = json_take_int(r);
    else if (!strcmp(name, "exit_status")) {
        run->exit_status = (int)json_take_int(r);
        run->ended = 1;
    } else if (!strcmp(name, "totals"))
        read_totals(r, &run->totals);
    else if (!strcmp(name, "jobs"))
        read_names(r, run);
    else
        json_skip(r);
}

static int read_meta(past_run *run)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    if (deja_file_load(run->fd, "meta.json", META_BYTES, &text, NULL) < 0 || !text.len)
        return 0;
    json_reader r = {.at = text.data, .end = text.data + text.len};
    json_enter(&r, '{');
    while (json_next_member(&r, &name))
        read_member(&r, run, name.data);
    return !r.failed;
}

static void read_state(past_run *run)
{
    const runs_state *s = &run->state;
    run->totals = (flow_totals){.total = s->total,
                                .done = s->done,
                                .hits = s->hits,
                                .ran = s->ran,
                                .failed = s->failed,
                                .skipped = s->skipped,
                                .running = s->running};
    run->end_ns = s->updated_ns;
}

void past_run_close(past_run *r)
{
    if (*r->id && r->fd >= 0)
        close(r->fd);
    deja_buffer_done(&r->batch);
    deja_buffer_done(&r->command);
    deja_buffer_done(&r->arguments);
    deja_buffer_done(&r->names);
    *r = (past_run){.fd = -1};
}

int past_run_open(past_run *ret, int runs_fd, const char *id, deja_error *err)
{
    past_run_close(ret);
    if (!runs_is_id(id))
        return deja_fail(err, DEJA_ENOTFOUND, "no run '%s'", id);
    int fd = openat(runs_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return deja_fail_errno(err, "open run '%s'", id);
    memcpy(ret->id, id, strlen(id) + 1); /* runs_is_id has seen that it fits */
    ret->fd = fd;
    ret->lives = runs_alive(runs_fd, id, &ret->state);
    ret->readable = read_meta(ret);
    if (ret->lives && !ret->ended)
        read_state(ret);
    return 0;
}

/* ---- all runs ---- */

static int compare_ids(const void *a, const void *b)
{
    return -strcmp(a, b);
}

past_id *past_runs(int runs_fd, size_t *ret_count)
{
    past_id *list = NULL;
    size_t cap = 0;
    int fd = openat(runs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    *ret_count = 0;
    if (fd >= 0 && !dir)
        close(fd);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        past_id *more = runs_is_id(e->d_name) ? deja_grow(list, *ret_count, &cap, sizeof *list) : NULL;
        if (!more)
            continue;
        list = more;
        memcpy(list[(*ret_count)++], e->d_name, strlen(e->d_name) + 1);
    }
    if (dir)
        closedir(dir);
    if (*ret_count)
        qsort(list, *ret_count, sizeof *list, compare_ids);
    return list;
}

/* An id may be named from its beginning, or from its time of day on. */
static int begins(const char *id, const char *word)
{
    return !strncmp(id, word, strlen(word)) || !strncmp(id + 9, word, strlen(word));
}

int past_run_find(int runs_fd, const char *word, char ret[RUNS_ID], deja_error *err)
{
    size_t count, found = 0;
    DEJA_AUTO_FREE past_id *list = past_runs(runs_fd, &count);
    const char *id = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, "last") != 0 && !begins(list[i], word))
            continue;
        found += !id || strcmp(word, "last") != 0;
        id = id ? id : list[i];
        if (!strcmp(list[i], word)) {
            id = list[i];
            found = 1;
            break;
        }
    }
    if (!id || !*word)
        return deja_fail(err, DEJA_ENOTFOUND, "no run '%s' is recorded ('deja runs' lists them)", word);
    if (found > 1)
        return deja_fail(err, DEJA_EINVAL, "%zu runs begin with '%s' ('deja runs' lists them)", found, word);
    memcpy(ret, id, strlen(id) + 1);
    return 0;
}
