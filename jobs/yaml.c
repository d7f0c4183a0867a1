/*
 * libyaml, all of it that deja uses. libyaml 0.2.5 knows no limit of depth, and its work grows with the
 * square of it, so that each event is checked before the next one is asked for. The input is fed in pieces:
 * what goes on for megabytes without an event (one huge scalar, say) is stopped there.
 */
#include "yaml_build.h"
#include "yaml_check.h"
#include <deja/text.h>
#include <string.h>
#include <yaml.h>

#define FEED_BYTES                                                                                           \
    (8 * YAML_TEXT_BYTES) /* without an event; a scalar of 1 MB can be written with as many escapes */

/* Where a character stands. */
typedef struct place {
    size_t index; /* characters from the start of the text, as libyaml counts them */
    mark mark;
} place;

typedef struct reader {
    yaml_build build;
    yaml_parser_t parser;
    size_t fed, fed_at_event; /* bytes given to libyaml: in all, and when the newest event came */
    int starved;              /* it wanted more than FEED_BYTES without an event */
    place place;
} reader;

static int feed(void *data, unsigned char *buffer, size_t size, size_t *size_read)
{
    reader *r = data;
    const source *s = r->build.src;
    size_t left = s->len - r->fed;
    if (r->fed - r->fed_at_event > FEED_BYTES) {
        r->starved = 1;
        return 0;
    }
    *size_read = left < size ? left : size;
    if (*size_read)
        memcpy(buffer, s->text + r->fed, *size_read);
    r->fed += *size_read;
    return 1;
}

/* libyaml does not count a byte order mark. */
static void place_start(reader *r)
{
    const source *s = r->build.src;
    uint32_t bom = s->len >= 3 && memcmp(s->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    r->place = (place){.mark = {.line = 1, .column = 1, .offset = bom, .file = r->build.src->file}};
}

/* Our mark of libyaml's, which knows no bytes, and more kinds of line breaks than an editor. Marks mostly
 * move forward. */
static mark mark_of(reader *r, yaml_mark_t at)
{
    const source *s = r->build.src;
    place *p = &r->place;
    if (at.index < p->index)
        place_start(r);
    for (; p->index < at.index && p->mark.offset < s->len; p->index++) {
        int newline = s->text[p->mark.offset] == '\n';
        size_t n = deja_text_utf8(s->text + p->mark.offset, s->len - p->mark.offset);
        p->mark.offset += (uint32_t)(n ? n : 1);
        p->mark.line += (uint32_t)newline;
        p->mark.column = newline ? 1 : p->mark.column + 1;
    }
    return p->mark;
}

static int fail_parse(reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const source *s = r->build.src;
    deja_error *err = r->build.err;
    if (p->error == YAML_MEMORY_ERROR)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (r->starved)
        return source_fail(s, r->place.mark, err,
                           "a text of more than 1 MB after this, or 8 MB of blanks and comments");
    const char *problem = p->problem ? p->problem : "not readable as YAML";
    if (p->error == YAML_READER_ERROR)
        return yaml_problem(s, source_mark(s, p->problem_offset), (mark){0}, problem, NULL, err);
    mark begin = p->context ? mark_of(r, p->context_mark) : (mark){0};
    return yaml_problem(s, mark_of(r, p->problem_mark), begin, problem, p->context, err);
}

static int check_tag(reader *r, mark at, const yaml_char_t *tag, int is_scalar)
{
    static const char core[] = "tag:yaml.org,2002:"; /* written !! */
    char word[SOURCE_WORD];
    const char *text = (const char *)tag;
    if (!text || (is_scalar && strcmp(text, YAML_STR_TAG) == 0))
        return 0;
    int is_core = strncmp(text, core, strlen(core)) == 0;
    text += is_core ? strlen(core) : 0;
    return source_fail(r->build.src, at, r->build.err,
                       "the tag '%s%s' is not supported: text that begins with '!' needs quotes",
                       is_core ? "!!" : "", source_word(word, text, strlen(text)));
}

static int on_scalar(reader *r, const yaml_event_t *e)
{
    yaml_mention m = {
        .at = mark_of(r, e->start_mark),
        .anchor = (const char *)e->data.scalar.anchor,
        .text = (const char *)e->data.scalar.value,
        .len = e->data.scalar.length,
        .plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !e->data.scalar.tag,
    };
    int code = check_tag(r, m.at, e->data.scalar.tag, 1);
    return code ? code : yaml_build_scalar(&r->build, &m);
}

static int on_begin(reader *r, const yaml_event_t *e)
{
    int is_list = e->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *tag = is_list ? e->data.sequence_start.tag : e->data.mapping_start.tag;
    const yaml_char_t *anchor = is_list ? e->data.sequence_start.anchor : e->data.mapping_start.anchor;
    yaml_mention m = {.at = mark_of(r, e->start_mark), .anchor = (const char *)anchor};
    int code = check_tag(r, m.at, tag, 0);
    return code ? code : yaml_build_begin(&r->build, is_list ? YAML_LIST : YAML_MAP, &m);
}

static int on_event(reader *r, const yaml_event_t *e, int *ret_done)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(r, e);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return on_begin(r, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return yaml_build_end(&r->build);
    case YAML_ALIAS_EVENT:
        return yaml_build_alias(&r->build, &(yaml_mention){.at = mark_of(r, e->start_mark),
                                                           .anchor = (const char *)e->data.alias.anchor});
    case YAML_DOCUMENT_END_EVENT:
        *ret_done = 1;
        return yaml_check_rest(r->build.src, mark_of(r, e->end_mark).offset, !e->data.document_end.implicit,
                               r->build.err);
    case YAML_STREAM_END_EVENT:
        *ret_done = 1;
        return 0;
    default:
        return 0;
    }
}

static int read_events(reader *r)
{
    int code = 0, done = 0;
    while (!code && !done) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return fail_parse(r);
        r->fed_at_event = r->fed;
        code = on_event(r, &event, &done);
        yaml_event_delete(&event);
    }
    return code;
}

int yaml_parse(const source *src, deja_arena *arena, yaml_node **ret, deja_error *err)
{
    deja_error unused;
    reader r = {.build = {.src = src, .arena = arena, .err = err ? err : &unused}};
    int empty = 0;
    int code = yaml_check_text(src, &empty, r.build.err);
    if (code)
        return code;
    place_start(&r);
    if (!empty) {
        if (!yaml_parser_initialize(&r.parser))
            return deja_fail(err, DEJA_ENOMEM, "out of memory");
        yaml_parser_set_input(&r.parser, feed, &r);
        code = read_events(&r);
        yaml_parser_delete(&r.parser);
    }
    /* A text without a document is a null. */
    if (!code && !r.build.root)
        code = yaml_build_scalar(&r.build, &(yaml_mention){.at = r.place.mark, .text = "", .plain = 1});
    yaml_build_done(&r.build);
    if (!code)
        *ret = r.build.root;
    return code;
}
