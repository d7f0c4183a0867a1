/*
 * Any bytes as a template: it is parsed, or refused with an offset inside it. Rendered with each expression's
 * own source as its value, it is the text again but for the escapes.
 */
#include "replay.h"
#include "template.h"

static int own_source(void *context, const template_expr *e, template_value *ret, deja_error *err)
{
    (void)err;
    *ret = (template_value){.data = (const char *)context + e->offset, .len = e->len};
    return 0;
}

static void check_parts(const template_text *t)
{
    size_t at = 0, exprs = 0;
    for (size_t i = 0; i < t->count; i++) {
        const template_part *p = &t->parts[i];
        require(p->len > 0 && p->offset >= at && p->offset - at <= 1, "parts do not follow each other");
        exprs += p->expr != NULL;
        at = p->offset + p->len;
    }
    require(at == t->len && exprs == t->expr_count, "parts do not cover the text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    template_text t;
    deja_error err;
    size_t offset = SIZE_MAX;
    if (template_parse(&t, (const char *)data, size, &arena, &offset, &err)) {
        require(offset <= size && err.text[0], "an error without a place");
        return 0;
    }
    check_parts(&t);
    require(template_render(&t, own_source, (void *)(uintptr_t)t.source, &b, NULL, &err) == 0,
            "not rendered");
    size_t literal = 0;
    for (size_t i = 0; i < t.count; i++)
        literal += t.parts[i].len;
    require(b.len == literal, "rendered, it has another length");
    return 0;
}
