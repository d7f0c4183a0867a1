/*
 * Any bytes as a shell text, for each family of shells: it is taken or refused with an offset inside it, and
 * a text that was taken can be rendered.
 */
#include "replay.h"
#include "shell.h"

static int hostile(void *context, const template_expr *e, template_value *ret, deja_error *err)
{
    static const char value[] = "'\"`$(x)\n\\";
    (void)context;
    (void)e;
    (void)err;
    *ret = (template_value){.data = value, .len = sizeof value - 1};
    return 0;
}

static void check_shell(const char *text, size_t len, const char *shell)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    shell_text s;
    deja_error err;
    size_t offset = SIZE_MAX;
    if (shell_parse(&s, text, len, &shell, 1, &arena, &offset, &err)) {
        require(offset <= len && err.text[0], "an error without a place");
        return;
    }
    require(shell_render(&s, hostile, NULL, &b, NULL, &err) == 0, "not rendered");
}

static void check_words(const char *text)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    char **words = shell_words(text, &arena);
    const char *first = shell_first_word(text, &arena);
    require(!words || (first && strcmp(first, words[0]) == 0), "another first word");
    require(!arena.failed, "out of memory");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const shells[] = {"bash", "sh", "zsh", "ksh", "python3"};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        check_shell((const char *)data, size, shells[i]);
    DEJA_AUTO_FREE char *text = deja_dup(data, size);
    require(text != NULL, "out of memory");
    check_words(text);
    shell_has_pipe(text, strlen(text));
    return 0;
}
