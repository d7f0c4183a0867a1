/*
 * The order of fields is part of the key and never changes.
 */
#include "keying.h"
#include "environment.h"
#include "feed.h"
#include <deja/cleanup.h>
#include <deja/encoding.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>

static void add_place(active *a)
{
    deja_key *k = &a->encoding;
    if (!a->flow->batch->absolute_keys) {
        deja_key_add_string(k, DEJA_FIELD_FOLDER, "", a->job.cwd);
        return;
    }
    DEJA_AUTO_BUFFER deja_buffer full = {0};
    deja_path_join(&full, a->flow->batch->folder, a->job.cwd);
    deja_key_add_string(k, DEJA_FIELD_FOLDER, "", deja_buffer_string(&full));
    k->bytes.failed |= full.failed;
}

static void add_command(active *a)
{
    deja_key *k = &a->encoding;
    for (size_t i = 0; !a->job.text && a->job.argv[i]; i++)
        deja_key_add_string(k, DEJA_FIELD_WORD, "", a->job.argv[i]);
    if (!a->job.text)
        return;
    deja_key_add_string(k, DEJA_FIELD_TEXT, "", a->job.text);
    for (size_t i = 0; a->job.def->shell[i]; i++)
        deja_key_add_string(k, DEJA_FIELD_SHELL, "", a->job.def->shell[i]);
}

static int file_hash(void *context, const char *path, deja_hash *ret, uint64_t *ret_size, deja_error *err)
{
    const active *a = context;
    const deja_content *content = reads_content(&a->reads, path);
    if (!content)
        return deja_fail(err, DEJA_ENOTFOUND, "'%s' was not read", path);
    *ret = content->hash;
    *ret_size = content->size;
    return 0;
}

static int add_argument(active *a, const char *name, const deja_value *v, deja_error *err)
{
    const deja_encoding_options options = {.file_hash = file_hash, .context = a};
    DEJA_AUTO_BUFFER deja_buffer encoded = {0};
    int status = deja_encode(&encoded, v, &options, err);
    if (status < 0)
        return deja_fail_in(err, "argument '%s'", name);
    deja_key_add(&a->encoding, DEJA_FIELD_ARGUMENT, name, encoded.data, encoded.len);
    return 0;
}

/* With a version the library counts by its name only: functions of two libraries may have one name. */
static int add_call(active *a, deja_error *err)
{
    deja_key *k = &a->encoding;
    const batch_job *def = a->job.def;
    int status = 0;
    deja_key_add_string(k, DEJA_FIELD_FUNCTION, "", def->symbol);
    if (def->version)
        deja_key_add(k, DEJA_FIELD_LIBRARY, a->job.library, NULL, 0);
    else
        deja_key_add_content(k, DEJA_FIELD_LIBRARY, a->job.library, &a->reads.items[0].content);
    for (size_t i = 0; i < a->job.arg_count && status == 0; i++)
        status = add_argument(a, def->with.names[i], &a->job.args[i], err);
    return status;
}

/* 0 when what one of them left is not known. */
static int add_needs(active *a)
{
    const batch_job *def = a->job.def;
    for (size_t i = 0; i < def->need_count; i++) {
        if (def->needs[i].order_only)
            continue;
        deja_hash left;
        const batch_job *needed = &a->flow->batch->jobs[def->needs[i].job];
        if (!plan_left(a->flow->plan, &def->needs[i], a->job.index, &left))
            return 0;
        deja_key_add(&a->encoding, DEJA_FIELD_NEED, needed->name, &left, sizeof left);
    }
    return 1;
}

static int is_constant(const batch_job *def)
{
    for (size_t i = 0; i < def->env_count; i++)
        if (def->env[i].set && def->env[i].value.template->expr_count > 0)
            return 0;
    return 1;
}

/* The fields are the same for all instances of a job unless a value has an expression: made once then. */
static int add_environment(active *a, deja_error *err)
{
    flow *f = a->flow;
    deja_key *k = &a->encoding;
    if (f->environment_of == a->job.def) {
        deja_buffer_add(&k->bytes, f->environment.data, f->environment.len);
        return 0;
    }
    size_t start = k->bytes.len;
    int status = environment_key(k, &a->job, f->options.environment, err);
    if (status < 0 || k->bytes.failed || !is_constant(a->job.def))
        return status;
    deja_buffer_clear(&f->environment);
    deja_buffer_add(&f->environment, k->bytes.data + start, k->bytes.len - start);
    f->environment_of = f->environment.failed ? NULL : a->job.def;
    return 0;
}

/* For people who compare keys: trouble with it is told, and changes nothing. */
static void trace_key(active *a)
{
    const char *folder = a->flow->options.trace_keys;
    if (!folder)
        return;
    char hex[DEJA_HASH_HEX];
    deja_error err;
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    deja_hash_hex(&a->key, hex);
    deja_buffer_addf(&path, "%s/%s", folder, hex);
    if (path.failed || deja_file_replace(AT_FDCWD, path.data, a->encoding.bytes.data, a->encoding.bytes.len,
                                         0600, 0, &err) < 0)
        active_note(a, path.failed ? "trace of its key: out of memory" : err.text);
}

int keying_make(active *a, deja_error *err)
{
    deja_key *k = &a->encoding;
    const batch_job *def = a->job.def;
    int status = 0;
    if (reads_check_program(&a->reads, NULL) < 0)
        return 0;
    deja_key_begin(k, def->run == BATCH_CALL ? "call" : "command");
    if (def->scope)
        deja_key_add_string(k, DEJA_FIELD_SCOPE, "", def->scope);
    if (def->version)
        deja_key_add_string(k, DEJA_FIELD_VERSION, "", def->version);
    if (def->run == BATCH_CALL) {
        status = add_call(a, err);
    } else {
        add_command(a);
        add_place(a);
    }
    if (def->clean_env)
        deja_key_add(k, DEJA_FIELD_ENV_CLEAN, "", NULL, 0);
    if (status == 0)
        status = add_environment(a, err);
    if (status < 0)
        return status;
    reads_key(&a->reads, k);
    if (a->job.row && a->job.row->fd >= 0)
        deja_key_add_content(k, DEJA_FIELD_STDIN, "", &a->job.row->content);
    for (size_t i = 0; i < a->job.output_count; i++)
        deja_key_add_string(k, DEJA_FIELD_OUTPUT, a->job.outputs[i].name, a->job.outputs[i].path);
    if (!add_needs(a))
        return 0;
    if (deja_key_finish(k, &a->key) < 0)
        return deja_fail(err, DEJA_ENOMEM, "key of the job: out of memory");
    a->keyed = 1;
    trace_key(a);
    return 0;
}

/* 0 when it is not known. Nothing, a folder or a device at its end: a link counts by its text alone. */
static int add_target(deja_key *k, const deja_digest_item *target)
{
    switch (target->sys_errno) {
    case 0:
        reads_key_file(k, DEJA_FIELD_INPUT, target);
        return 1;
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EISDIR:
    case EINVAL:
        return 1;
    default:
        return 0;
    }
}

int keying_left(const deja_output *outputs, size_t count, const deja_digest_item *targets,
                const deja_content *out, const deja_content *value, deja_hash *ret)
{
    deja_key k = {0};
    int known = 1;
    for (size_t i = 0; i < count; i++) {
        const deja_digest_item item = {
            .path = outputs[i].path, .content = outputs[i].stored.content, .mode = outputs[i].mode};
        reads_key_file(&k, DEJA_FIELD_OUTPUT, &item);
        if (targets && targets[i].path)
            known &= add_target(&k, &targets[i]);
    }
    if (count == 0)
        deja_key_add_content(&k, DEJA_FIELD_OUTPUT, "", out);
    if (value)
        deja_key_add_content(&k, DEJA_FIELD_FUNCTION, "", value);
    known &= !k.bytes.failed;
    *ret = deja_hash_bytes(k.bytes.data, k.bytes.len);
    deja_key_done(&k);
    return known;
}
