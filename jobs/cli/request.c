/* What the command line asks about, see request.h. */
#include "request.h"
#include "cli.h"
#include "say.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/place.h>
#include <string.h>
#include <unistd.h>

const char *request_file(const request *r)
{
    return r->file ? r->file : "deja.yaml";
}

/* Relative where that is what a user sees: the batch lies in the folder that deja was called in. */
int request_place(request *r, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer cwd = {0};
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    if (r->file && !strcmp(r->file, "-"))
        return deja_place_runs(&r->runs, NULL, err);
    if (!r->folder && !strchr(request_file(r), '/')) {
        deja_buffer_add_string(&r->runs, ".deja/runs");
        return r->runs.failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
    }
    int code = cli_folder(&cwd, err);
    if (code)
        return code;
    deja_path_join(&path, cwd.data, request_file(r));
    if (path.failed)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    char *slash = strrchr(path.data, '/');
    slash[slash == path.data] = '\0';
    return deja_place_runs(&r->runs, path.data, err);
}

static void say_warnings(const batch *b)
{
    for (size_t i = 0; i < b->warning_count; i++) {
        deja_error warning;
        deja_fail(&warning, DEJA_ESYNTAX, "%s", b->warnings[i]);
        say_error(&warning);
    }
}

int request_load(request *r, deja_error *err)
{
    const batch_settings settings = {
        .sets = r->sets.list, .set_count = r->sets.count, .environment = (const char *const *)environ};
    int code = batch_load_with(&r->batch, request_file(r), &settings, err);
    if (code)
        return code;
    say_warnings(r->batch);
    if (!r->runs.len && request_place(r, NULL))
        deja_buffer_clear(&r->runs);
    return 0;
}

static int keep_failed(request *r, deja_error *err)
{
    history *h = NULL;
    const history_options o = {.folder = r->runs.len ? r->runs.data : NULL, .batch = r->batch};
    int code = history_open(&h, &o, err);
    if (!code)
        code = failed_open(&r->failed, h, r->batch, err);
    history_close(h);
    return code ? code : selection_keep_failed(&r->chosen, r->batch, r->failed, err);
}

int request_open(request *r, deja_error *err)
{
    const char *trace = deja_place_env("DEJA_TRACE");
    int code = trace ? deja_trace_open(&r->trace, trace, err) : 0;
    if (!code)
        code = request_load(r, err);
    if (!code)
        code = selection_open(&r->chosen, r->batch, r->jobs.list, r->jobs.count, err);
    if (!code && r->only_failed)
        code = keep_failed(r, err);
    if (!code)
        code = (r->only ? plan_open_only : plan_open)(&r->plan, r->batch, r->chosen, err);
    return code;
}

void request_close(request *r)
{
    plan_close(r->plan);
    selection_close(r->chosen);
    failed_close(r->failed);
    batch_free(r->batch);
    deja_trace_close(r->trace);
    deja_buffer_done(&r->runs);
    words_done(&r->sets);
    words_done(&r->resources);
    words_done(&r->jobs);
    *r = (request){0};
}
