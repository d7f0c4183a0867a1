/*
 * The mark of a run, found in an environment that arrives in blocks. No allocation and no system call.
 */
#include "mark.h"

#include <string.h>

static void end_part(mark_search *s)
{
    if (s->in_value && !s->mismatch && s->at == s->id_len) {
        s->found = 1;
        s->job = s->number;
    }
    s->at = 0;
    s->mismatch = s->in_number = 0;
    s->number = 0;
}

/* "#12" behind a part. */
static int is_of_number(mark_search *s, char c)
{
    if (s->in_value && !s->in_number && c == '#') {
        s->mismatch |= s->at != s->id_len;
        s->in_number = 1;
        return 1;
    }
    if (s->in_number && c >= '0' && c <= '9')
        s->number = s->number * 10 + (uint64_t)(c - '0');
    else
        s->mismatch |= s->in_number;
    return s->in_number;
}

static void add_char(mark_search *s, char c)
{
    if (c == '\0' || (c == ':' && s->in_value)) {
        end_part(s);
        s->in_value = s->in_value && c == ':';
        return;
    }
    if (is_of_number(s, c))
        return;
    const char *want = s->in_value ? s->run_id : MARK_VARIABLE;
    size_t len = s->in_value ? s->id_len : strlen(MARK_VARIABLE);
    if (s->mismatch || s->at >= len || want[s->at] != c) {
        s->mismatch = 1;
        return;
    }
    if (++s->at == len && !s->in_value) {
        s->in_value = 1;
        s->at = 0;
    }
}

void mark_add(mark_search *s, const char *data, size_t len)
{
    for (size_t i = 0; i < len && !s->found; i++)
        add_char(s, data[i]);
}

void mark_end(mark_search *s)
{
    end_part(s);
}

int mark_is_in(const char *environment, size_t len, const char *run_id)
{
    mark_search search = {.run_id = run_id, .id_len = strlen(run_id)};
    mark_add(&search, environment, len);
    mark_end(&search);
    return search.found;
}
