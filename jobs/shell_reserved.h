#ifndef SHELL_RESERVED_H
#define SHELL_RESERVED_H
/*
 * The words that shells treat in their own way: reserved words, builtins, and variables that are evaluated.
 * Names are those of bash 5.2 (its manual, sections 3.2, 4 and 5) and of POSIX sh, dash 0.5.12, ksh and zsh
 * where they differ.
 */
#include <stddef.h>

typedef enum shell_reserved {
    SHELL_NOT_RESERVED,
    SHELL_BEGINS, /* if then else elif fi while until do done { } !: a command may follow */
    SHELL_TIME,   /* the same after options */
    SHELL_CASE,
    SHELL_ESAC,
    SHELL_COND, /* [[ */
    SHELL_FOR,  /* for, select */
    SHELL_FUNCTION,
    SHELL_COPROC,
    SHELL_ZSH_LOOP, /* repeat, foreach: of zsh only */
} shell_reserved;

/* Builtins that do more with their words than take them as text. */
typedef enum shell_rule {
    SHELL_RULE_NONE,
    SHELL_RULE_MODIFIER,  /* command builtin exec ...: the name of a command follows, after options */
    SHELL_RULE_EVALUATES, /* eval let trap alias ... */
    SHELL_RULE_NAMES,     /* read unset ...: words name variables, whose subscripts are evaluated */
    SHELL_RULE_DECLARE,   /* declare local ...: '(...)' as value is evaluated */
    SHELL_RULE_EXPORT,    /* export readonly: the same with options */
    SHELL_RULE_TEST,
    SHELL_RULE_PRINTF,
    SHELL_RULE_PRINT, /* of ksh and zsh: -P expands its words, -v names a variable */
    SHELL_RULE_SET,   /* of ksh and zsh: -A names a variable */
} shell_rule;

shell_reserved shell_reserved_word(const char *word, size_t len);
shell_rule shell_rule_of(const char *command);

/* 1 for a variable whose value the shell evaluates when it is assigned or used. */
int shell_is_evaluated(const char *name, size_t len);

/* 1 for a word that is no program when it is the first of a command: reserved words and builtins of bash and
 * sh. */
int shell_is_builtin(const char *word);

#endif
