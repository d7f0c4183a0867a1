/*
 * The word include. Names under it are relative to the file that they stand in; all other paths of an
 * included file are relative to the batch's folder, as if its jobs stood in the file that was named.
 */
#include "batch_parts.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>

static const char *const top_words[] = {"version", "include", "vars", "resources", "defaults", "jobs", NULL};

/* What users would look for at the top of the file, though it belongs in a job or in defaults. */
static const char *const inner_words[] = {"run",     "shell", "matrix", "when",  "inputs",
                                          "outputs", "env",   "stdin",  "needs", NULL};

/* ---- the top of a file ---- */

/* A file of a later deja is told from one with mistakes. */
static int check_newer(batch_reader *r, const yaml_node *root)
{
    const yaml_node *n = yaml_get(root, "version");
    int64_t version;
    if (!n || !yaml_int(n, &version) || version <= 1)
        return 0;
    return source_fail(&r->b->source, n->mark, r->err,
                       "version %s: this deja knows only version 1 of batch files", n->text);
}

static int read_version(batch_reader *r, const yaml_node *root)
{
    const yaml_node *n = yaml_get(root, "version");
    int64_t version;
    if (!n)
        return source_fail(&r->b->source, root->mark, r->err,
                           "'version' is missing: begin the file with the line 'version: 1'");
    return yaml_int(n, &version) && version == 1 ? 0
                                                 : read_expected(r, n, "1, the version of the batch file");
}

/* A word of a job at the top of the file: the user forgot a level. */
static int check_level(batch_reader *r, const yaml_node *root)
{
    for (size_t i = 0; i < root->count; i++)
        for (size_t w = 0; inner_words[w]; w++)
            if (strcmp(root->pairs[i].key->text, inner_words[w]) == 0)
                return source_fail(&r->b->source, root->pairs[i].key->mark, r->err,
                                   "'%s' belongs in a job: jobs: {NAME: {%s: ...}}", inner_words[w],
                                   inner_words[w]);
    return 0;
}

static int check_top(batch_reader *r, const yaml_node *root)
{
    if (yaml_is_null(root))
        return source_fail(&r->b->source, root->mark, r->err,
                           "the file is empty: expected 'version: 1' and 'jobs:'");
    if (root->kind != YAML_MAP)
        return read_expected(r, root, "a map with 'version' and 'jobs'");
    int code = check_newer(r, root);
    if (!code)
        code = check_level(r, root);
    if (!code)
        code = read_check_words(r, root, "a batch", top_words);
    return code ? code : read_version(r, root);
}

/* ---- files ---- */

/* `name` as seen from the batch's folder, when it stands in the file `from`. */
static const char *place(batch_reader *r, const batch_part *from, const char *name)
{
    DEJA_AUTO_BUFFER deja_buffer joined = {0};
    DEJA_AUTO_BUFFER deja_buffer normal = {0};
    const char *slash = *name == '/' ? NULL : strrchr(from->path, '/');
    deja_buffer_add(&joined, from->path, slash ? (size_t)(slash - from->path) + 1 : 0);
    deja_buffer_add_string(&joined, name);
    deja_path_normalise(&normal, deja_buffer_string(&joined));
    return joined.failed || normal.failed ? NULL : deja_arena_dup(&r->b->arena, normal.data, normal.len);
}

/* As users see it: from where the batch was named. */
static const char *shown(batch_reader *r, const char *path)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    const char *slash = *path == '/' ? NULL : strrchr(r->b->source.path, '/');
    deja_buffer_add(&b, r->b->source.path, slash ? (size_t)(slash - r->b->source.path) + 1 : 0);
    deja_buffer_add_string(&b, path);
    return b.failed ? NULL : deja_arena_dup(&r->b->arena, b.data, b.len);
}

/* The text of an included file; the batch keeps it for messages. */
static int load_text(batch_reader *r, const char *path, mark at, source **ret)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_error problem;
    batch *b = r->b;
    int code = deja_file_load(b->folder_fd, path, YAML_FILE_BYTES, &text, &problem);
    if (code == DEJA_ENOTFOUND)
        return source_fail(&b->source, at, r->err, "there is no file '%s'", path);
    if (code)
        return code == DEJA_ENOMEM ? read_no_memory(r)
                                   : source_fail(&b->source, at, r->err, "%s", problem.text);
    source *s = read_alloc(r, 1, sizeof *s);
    const source **grown = deja_grow(b->others, b->other_count, &r->other_cap, sizeof *grown);
    b->others = grown ? grown : b->others;
    if (!s || !grown)
        return read_no_memory(r);
    *s = (source){.path = shown(r, path), .len = text.len, .file = (uint32_t)b->other_count + 1};
    s->text = text.len ? deja_arena_dup(&b->arena, text.data, text.len) : "";
    if (!s->path || !s->text)
        return read_no_memory(r);
    b->others[b->other_count++] = s;
    b->source.others = b->others;
    *ret = s;
    return 0;
}

/* ---- include ---- */

static int fail_cycle(batch_reader *r, const batch_part *part, const batch_part *again, mark at)
{
    DEJA_AUTO_BUFFER deja_buffer chain = {0};
    const batch_part *links[PART_DEPTH + 1];
    size_t n = 0;
    for (const batch_part *p = part; p != again && n < PART_DEPTH; p = p->from)
        links[n++] = p;
    deja_buffer_addf(&chain, "'%s'", again->path);
    while (n > 0)
        deja_buffer_addf(&chain, " includes '%s'", links[--n]->path);
    deja_buffer_addf(&chain, " includes '%s'", again->path);
    return source_fail(&r->b->source, at, r->err, "files include each other: %s", deja_buffer_string(&chain));
}

static batch_part *new_part(batch_reader *r, batch_parts *p, const batch_part *from, const char *path)
{
    batch_part *part = read_alloc(r, 1, sizeof *part);
    batch_part **known = deja_grow(p->known, p->known_count, &p->known_cap, sizeof *known);
    p->known = known ? known : p->known;
    if (!part || !known)
        return NULL;
    *part = (batch_part){.path = path, .from = from};
    known[p->known_count++] = part;
    return part;
}

static batch_part *find_part(const batch_parts *p, const char *path)
{
    for (size_t i = 0; i < p->known_count; i++)
        if (strcmp(p->known[i]->path, path) == 0)
            return p->known[i];
    return NULL;
}

static int load_part(batch_reader *r, batch_parts *p, batch_part *part, size_t depth);

static int include_one(batch_reader *r, batch_parts *p, batch_part *part, const yaml_node *n, size_t depth)
{
    const char *name;
    int code = read_literal(r, n, "the path of a batch file", &name);
    if (!code && !*name)
        code = source_fail(&r->b->source, n->mark, r->err, "the path of a batch file is empty");
    const char *path = code ? NULL : place(r, part, name);
    if (code || !path)
        return code ? code : read_no_memory(r);
    batch_part *other = find_part(p, path);
    part->includes[part->include_count++] = other;
    if (other)
        return other->is_open ? fail_cycle(r, part, other, n->mark) : 0;
    if (depth == PART_DEPTH)
        return source_fail(&r->b->source, n->mark, r->err, "more than %d files that include each other",
                           PART_DEPTH);
    source *s = NULL;
    code = load_text(r, path, n->mark, &s);
    other = code ? NULL : new_part(r, p, part, path);
    if (code || !other)
        return code ? code : read_no_memory(r);
    other->source = s;
    part->includes[part->include_count - 1] = other;
    return load_part(r, p, other, depth + 1);
}

static int include_all(batch_reader *r, batch_parts *p, batch_part *part, size_t depth)
{
    const yaml_node *n = yaml_get(part->root, "include");
    size_t count = n && n->kind == YAML_LIST ? n->count : 1;
    if (!n)
        return 0;
    if (count == 0)
        return source_fail(&r->b->source, n->mark, r->err, "'include' is an empty list");
    part->includes = read_alloc(r, count, sizeof(batch_part *));
    if (!part->includes)
        return read_no_memory(r);
    int code = 0;
    for (size_t i = 0; i < count && !code; i++)
        code = include_one(r, p, part, n->kind == YAML_LIST ? n->pairs[i].value : n, depth);
    return code;
}

static int load_part(batch_reader *r, batch_parts *p, batch_part *part, size_t depth)
{
    yaml_node *root = NULL;
    int code = yaml_parse(part->source, &p->tree, &root, r->err);
    if (!code)
        code = check_top(r, root);
    if (code)
        return code;
    part->root = root;
    part->is_open = 1;
    code = include_all(r, p, part, depth);
    part->is_open = 0;
    batch_part **list = code ? NULL : deja_grow(p->list, p->count, &p->cap, sizeof *list);
    if (code || !list)
        return code ? code : read_no_memory(r);
    p->list = list;
    list[p->count++] = part;
    return 0;
}

int batch_parts_load(batch_reader *r, batch_parts *p)
{
    const char *slash = strrchr(r->b->source.path, '/');
    batch_part *part = new_part(r, p, NULL, slash ? slash + 1 : r->b->source.path);
    if (!part)
        return read_no_memory(r);
    part->source = &r->b->source;
    return load_part(r, p, part, 1);
}

void batch_parts_done(batch_parts *p)
{
    deja_free(p->list);
    deja_free(p->known);
    deja_arena_done(&p->tree);
}
