/*
 * Tables of words.
 */
#include "shell_reserved.h"
#include <string.h>

typedef struct reserved {
    const char *word;
    shell_reserved kind;
} reserved;

static const reserved reserved_words[] = {
    {"!", SHELL_BEGINS},          {"[[", SHELL_COND},      {"case", SHELL_CASE},
    {"coproc", SHELL_COPROC},     {"do", SHELL_BEGINS},    {"done", SHELL_BEGINS},
    {"elif", SHELL_BEGINS},       {"else", SHELL_BEGINS},  {"esac", SHELL_ESAC},
    {"fi", SHELL_BEGINS},         {"for", SHELL_FOR},      {"foreach", SHELL_ZSH_LOOP},
    {"function", SHELL_FUNCTION}, {"if", SHELL_BEGINS},    {"repeat", SHELL_ZSH_LOOP},
    {"select", SHELL_FOR},        {"then", SHELL_BEGINS},  {"time", SHELL_TIME},
    {"until", SHELL_BEGINS},      {"while", SHELL_BEGINS}, {"{", SHELL_BEGINS},
    {"}", SHELL_BEGINS},
};

typedef struct ruled {
    const char *command;
    shell_rule rule;
} ruled;

static const ruled rules[] = {
    {"-", SHELL_RULE_MODIFIER},         {"[", SHELL_RULE_TEST},
    {"alias", SHELL_RULE_EVALUATES},    {"bind", SHELL_RULE_EVALUATES},
    {"builtin", SHELL_RULE_MODIFIER},   {"command", SHELL_RULE_MODIFIER},
    {"compgen", SHELL_RULE_EVALUATES},  {"complete", SHELL_RULE_EVALUATES},
    {"declare", SHELL_RULE_DECLARE},    {"emulate", SHELL_RULE_EVALUATES},
    {"eval", SHELL_RULE_EVALUATES},     {"exec", SHELL_RULE_MODIFIER},
    {"export", SHELL_RULE_EXPORT},      {"fc", SHELL_RULE_EVALUATES},
    {"float", SHELL_RULE_DECLARE},      {"getln", SHELL_RULE_NAMES},
    {"getopts", SHELL_RULE_NAMES},      {"integer", SHELL_RULE_DECLARE},
    {"let", SHELL_RULE_EVALUATES},      {"local", SHELL_RULE_DECLARE},
    {"mapfile", SHELL_RULE_NAMES},      {"nameref", SHELL_RULE_DECLARE},
    {"nocorrect", SHELL_RULE_MODIFIER}, {"noglob", SHELL_RULE_MODIFIER},
    {"print", SHELL_RULE_PRINT},        {"printf", SHELL_RULE_PRINTF},
    {"private", SHELL_RULE_DECLARE},    {"read", SHELL_RULE_NAMES},
    {"readarray", SHELL_RULE_NAMES},    {"readonly", SHELL_RULE_EXPORT},
    {"sched", SHELL_RULE_EVALUATES},    {"set", SHELL_RULE_SET},
    {"test", SHELL_RULE_TEST},          {"trap", SHELL_RULE_EVALUATES},
    {"typeset", SHELL_RULE_DECLARE},    {"unset", SHELL_RULE_NAMES},
    {"vared", SHELL_RULE_NAMES},        {"wait", SHELL_RULE_NAMES},
    {"zparseopts", SHELL_RULE_NAMES},
};

static const char *const evaluated[] = {"BASH_ENV",       "ENV",     "HISTCMD", "LINENO", "OPTIND",
                                        "PROMPT_COMMAND", "PS0",     "PS1",     "PS2",    "PS4",
                                        "RANDOM",         "SECONDS", "SRANDOM"};

/* `compgen -b` and `compgen -k` of bash 5.2, the builtins of dash and busybox besides, and names that
   start-up files make aliases or functions of nowhere else than in an interactive shell are left out. */
static const char *const builtins[] = {
    "!",       ".",        ":",      "[",       "[[",       "]]",        "alias",    "bg",      "bind",
    "break",   "builtin",  "caller", "case",    "cd",       "chdir",     "command",  "compgen", "complete",
    "compopt", "continue", "coproc", "declare", "dirs",     "disown",    "do",       "done",    "echo",
    "elif",    "else",     "enable", "esac",    "eval",     "exec",      "exit",     "export",  "false",
    "fc",      "fg",       "fi",     "for",     "function", "getopts",   "hash",     "help",    "history",
    "if",      "in",       "jobs",   "kill",    "let",      "local",     "logout",   "mapfile", "newgrp",
    "popd",    "printf",   "pushd",  "pwd",     "read",     "readarray", "readonly", "return",  "select",
    "set",     "shift",    "shopt",  "source",  "suspend",  "test",      "then",     "time",    "times",
    "trap",    "true",     "type",   "typeset", "ulimit",   "umask",     "unalias",  "unset",   "until",
    "wait",    "while",    "{",      "}",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

shell_reserved shell_reserved_word(const char *word, size_t len)
{
    for (size_t k = 0; k < COUNT(reserved_words); k++)
        if (strlen(reserved_words[k].word) == len && memcmp(reserved_words[k].word, word, len) == 0)
            return reserved_words[k].kind;
    return SHELL_NOT_RESERVED;
}

shell_rule shell_rule_of(const char *command)
{
    for (size_t k = 0; k < COUNT(rules); k++)
        if (strcmp(rules[k].command, command) == 0)
            return rules[k].rule;
    return SHELL_RULE_NONE;
}

int shell_is_evaluated(const char *name, size_t len)
{
    for (size_t k = 0; k < COUNT(evaluated); k++)
        if (strlen(evaluated[k]) == len && memcmp(evaluated[k], name, len) == 0)
            return 1;
    return 0;
}

int shell_is_builtin(const char *word)
{
    for (size_t k = 0; k < COUNT(builtins); k++)
        if (strcmp(builtins[k], word) == 0)
            return 1;
    return 0;
}
