/*
 * Patterns over values.
 */
#include "value_pattern.h"
#include "glob.h"
#include "glob_match.h"
#include <deja/cleanup.h>
#include <string.h>

int value_pattern_init(value_pattern *ret, const char *text, size_t len, deja_arena *arena)
{
    DEJA_AUTO_BUFFER deja_buffer plain = {0};
    *ret = (value_pattern){.text = deja_arena_dup(arena, text, len), .len = len};
    if (!ret->text)
        return DEJA_ENOMEM;
    if (glob_is_pattern(ret->text))
        return 0;
    glob_unescape(&plain, ret->text);
    ret->literal = plain.failed ? NULL : deja_arena_dup(arena, plain.data, plain.len);
    return ret->literal ? 0 : DEJA_ENOMEM;
}

int value_pattern_matches(const value_pattern *p, const matrix_axis *a, uint32_t index)
{
    char room[MATRIX_ROOM];
    const char *text = matrix_spell(a, index, room);
    if (!p->literal)
        return glob_match_text(p->text, p->len, text, strlen(text));
    return strcmp(p->literal, text) == 0 || (a->kind != MATRIX_LIST && matrix_find(a, p->literal) == index);
}
