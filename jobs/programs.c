/*
 * Each question is remembered with its one answer; what was not found is looked for again.
 */
#include "programs.h"
#include "reads.h"
#include <deja/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void add_with_nul(deja_buffer *b, const char *text)
{
    deja_buffer_add(b, text, strlen(text) + 1);
}

/* 0 when out of memory: then nothing is remembered. */
static int set(deja_buffer *b, const char *data, size_t len)
{
    deja_buffer_clear(b);
    deja_buffer_add(b, data, len);
    int done = !b->failed;
    if (!done)
        deja_buffer_clear(b);
    return done;
}

static int is(const deja_buffer *b, const char *data, size_t len)
{
    return len > 0 && b->len == len && memcmp(b->data, data, len) == 0;
}

void programs_find(programs *p, int dirfd, const char *word, const char *path, const char *cwd,
                   deja_buffer *ret)
{
    DEJA_AUTO_BUFFER deja_buffer question = {0}, answer = {0};
    add_with_nul(&question, word);
    add_with_nul(&question, path);
    add_with_nul(&question, cwd);
    if (!question.failed && is(&p->question, question.data, question.len)) {
        deja_buffer_add(ret, p->answer.data, p->answer.len);
        return;
    }
    int found = reads_find_program(dirfd, word, path, cwd, &answer);
    ret->failed |= answer.failed;
    if (!found)
        return;
    deja_buffer_add(ret, answer.data, answer.len);
    if (question.failed || !set(&p->answer, answer.data, answer.len) ||
        !set(&p->question, question.data, question.len))
        deja_buffer_clear(&p->question);
}

int programs_is_native(programs *p, const char *file)
{
    char head[4] = "";
    size_t len = strlen(file);
    if (is(&p->native, file, len))
        return 1;
    DEJA_AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno == EACCES; /* executable, but not to be read: no script */
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (!(n >= 2 && memcmp(head, "#!", 2) == 0) && !(n == 4 && memcmp(head, "\177ELF", 4) == 0))
        return 0;
    set(&p->native, file, len);
    return 1;
}

void programs_note(programs *p, const deja_digest_item *item, uint64_t generation)
{
    if (item->sys_errno || p->hashed.len || generation != p->generation)
        return;
    set(&p->hashed, item->path, strlen(item->path));
    p->item = *item;
}

int programs_recall(const programs *p, deja_digest_item *item)
{
    if (!is(&p->hashed, item->path, strlen(item->path)))
        return 0;
    item->content = p->item.content;
    item->stamp = p->item.stamp;
    return 1;
}

void programs_forget(programs *p)
{
    p->generation++;
    deja_buffer_clear(&p->question);
    deja_buffer_clear(&p->answer);
    deja_buffer_clear(&p->native);
    deja_buffer_clear(&p->hashed);
}

void programs_done(programs *p)
{
    deja_buffer_done(&p->question);
    deja_buffer_done(&p->answer);
    deja_buffer_done(&p->native);
    deja_buffer_done(&p->hashed);
}
