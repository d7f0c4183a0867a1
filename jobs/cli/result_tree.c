/* `--results DIR`, see result_tree.h. */
#include "result_tree.h"
#include "events.h"
#include "json.h"
#include "param_pairs.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/hash.h>
#include <deja/text.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum {
    NAME_BYTES = 255,  /* of a file's name: NAME_MAX of Linux */
    PATH_BYTES = 2000, /* of all parameters; PATH_MAX is 4096, and tools put folders in front */
};

struct result_tree {
    deja_buffer folder; /* for messages */
    const char *run_id;
    int fd;
    deja_buffer path, meta; /* used again for each job */
};

static void add_code(deja_buffer *b, unsigned char c)
{
    deja_buffer_addf(b, "%%%02X", c);
}

/* `text` as a part of a file's name; `special` is a character that means something there, or 0. */
static void add_safe(deja_buffer *b, const char *text, char special)
{
    for (size_t i = 0; text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '/' || c == '%' || c < 0x20 || c == 0x7f || (special && text[i] == special))
            add_code(b, c);
        else
            deja_buffer_add_char(b, text[i]);
    }
}

static void add_hash(deja_buffer *b, const void *data, size_t len)
{
    char hex[DEJA_HASH_HEX];
    const deja_hash hash = deja_hash_bytes(data, len);
    deja_hash_hex(&hash, hex);
    deja_buffer_addf(b, "%%-%s", hex);
}

/* As much of a name as fits before its hash: no code and no character is cut in two. */
static size_t front_of(const char *name)
{
    size_t at = 0, most = NAME_BYTES - (DEJA_HASH_HEX + 1);
    for (;;) {
        size_t step = name[at] == '%' ? 3 : deja_text_utf8(name + at, strlen(name + at));
        if (at + (step ? step : 1) > most)
            return at;
        at += step ? step : 1;
    }
}

/* The name that begins at `start` becomes one that a file can have. */
static void end_name(deja_buffer *b, size_t start)
{
    if (b->failed || b->len - start <= NAME_BYTES)
        return;
    DEJA_AUTO_BUFFER deja_buffer whole = {0};
    deja_buffer_add(&whole, b->data + start, b->len - start);
    b->failed |= whole.failed;
    if (b->failed)
        return;
    b->len = start;
    deja_buffer_add(b, whole.data, front_of(whole.data));
    add_hash(b, whole.data, whole.len);
}

/* A name that does not begin with a dot. */
static size_t begin_name(deja_buffer *b, const char **text)
{
    size_t start = b->len;
    if (**text == '.') {
        add_code(b, '.');
        ++*text;
    }
    return start;
}

static void add_pair(deja_buffer *b, const char *name, const char *value)
{
    size_t start = begin_name(b, &name);
    add_safe(b, name, '=');
    deja_buffer_add_char(b, '=');
    add_safe(b, value, 0);
    end_name(b, start);
}

void result_tree_path(deja_buffer *b, const batch_job *def, uint32_t index)
{
    DEJA_AUTO_BUFFER deja_buffer pairs = {0};
    const char *name = def->name, *value;
    size_t start = begin_name(b, &name), at = 0;
    add_safe(b, name, 0);
    end_name(b, start);
    param_pairs_add(&pairs, def, index);
    b->failed |= pairs.failed;
    start = b->len;
    while (!b->failed && param_pairs_next(pairs.data, pairs.len, &at, &name, &value)) {
        deja_buffer_add_char(b, '/');
        add_pair(b, name, value);
    }
    if (!b->failed && b->len - start > PATH_BYTES) {
        b->len = start;
        deja_buffer_add_char(b, '/');
        add_hash(b, pairs.data, pairs.len);
    }
    if (def->feed && !pairs.len)
        deja_buffer_addf(b, "/#=%u", index + 1);
}

static int remove_file(int fd, const char *name, deja_error *err)
{
    if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    return deja_fail_errno(err, "remove '%s'", name);
}

static int write_stream(int fd, const char *name, const flow_bytes *bytes, deja_error *err)
{
    if (bytes->fd < 0)
        return deja_file_replace(fd, name, bytes->data ? bytes->data : "", bytes->data ? bytes->len : 0, 0666,
                                 0, err);
    DEJA_AUTO_CLOSE int to = deja_file_begin(fd, name, 0666, err);
    if (to < 0)
        return to;
    int code = deja_file_copy(bytes->fd, to, bytes->len, name, err);
    return code ? code : deja_file_publish(to, fd, name, 0, err);
}

static int write_meta(result_tree *r, int fd, const flow_event *e, deja_error *err)
{
    deja_buffer *b = &r->meta;
    deja_buffer_clear(b);
    json_open(b, NULL, '{');
    events_describe(b, e);
    if (e->kind != FLOW_SKIPPED) {
        json_int(b, "stdout_bytes", (int64_t)e->out.len);
        json_int(b, "stderr_bytes", (int64_t)e->err.len);
    }
    if (*r->run_id)
        json_word(b, "run", r->run_id);
    deja_buffer_add_string(b, "}\n");
    if (b->failed)
        return deja_fail(err, DEJA_ENOMEM, "write 'meta.json': out of memory");
    return deja_file_replace(fd, "meta.json", b->data, b->len, 0666, 0, err);
}

static int write_job(result_tree *r, int fd, const flow_event *e, deja_error *err)
{
    int code = remove_file(fd, "meta.json", err);
    if (!code && e->kind == FLOW_SKIPPED) {
        code = remove_file(fd, "stdout", err);
        code = code ? code : remove_file(fd, "stderr", err);
    } else if (!code) {
        code = write_stream(fd, "stdout", &e->out, err);
        code = code ? code : write_stream(fd, "stderr", &e->err, err);
    }
    return code ? code : write_meta(r, fd, e, err);
}

int result_tree_open(result_tree **ret, const char *folder, const char *run_id, deja_error *err)
{
    int code = deja_file_make_dirs(AT_FDCWD, folder, 0777, err);
    if (code)
        return deja_fail_in(err, "--results");
    result_tree *r = deja_calloc(1, sizeof *r);
    if (!r)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    *r = (result_tree){.run_id = run_id, .fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    deja_buffer_add_string(&r->folder, folder);
    if (r->fd < 0)
        code = deja_fail_errno(err, "--results: open '%s'", folder);
    else if (r->folder.failed)
        code = deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (code)
        result_tree_close(r);
    else
        *ret = r;
    return code;
}

int result_tree_take(result_tree *r, const flow_event *e, deja_error *err)
{
    if (!e->def || !events_ends(e->kind))
        return 0;
    deja_buffer_clear(&r->path);
    result_tree_path(&r->path, e->def, e->index);
    if (r->path.failed)
        return deja_fail(err, DEJA_ENOMEM, "--results: out of memory");
    int code = deja_file_make_dirs(r->fd, r->path.data, 0777, err);
    if (!code) {
        DEJA_AUTO_CLOSE int fd = openat(r->fd, r->path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        code = fd < 0 ? deja_fail_errno(err, "open it") : write_job(r, fd, e, err);
    }
    return code ? deja_fail_in(err, "--results: in '%s/%s'", r->folder.data, r->path.data) : 0;
}

void result_tree_close(result_tree *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    deja_buffer_done(&r->folder);
    deja_buffer_done(&r->path);
    deja_buffer_done(&r->meta);
    deja_free(r);
}
