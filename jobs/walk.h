#ifndef WALK_H
#define WALK_H
/*
 * The state of the walk over a shell text (see shell_walk.h), shared by its files: a stack of frames, one for
 * each thing that is open (a command list, a quote, an expansion). In a copy of the text each expression is
 * one byte, so that it behaves as the piece of a word that its value becomes.
 *
 *     walk.c           frames, the word at hand, refusing
 *     walk_value.c     where expressions may stand
 *     walk_quote.c     quotes and expansions
 *     walk_heredoc.c   here-documents
 *     walk_word.c      the end of a word: reserved words, builtins, conditions
 *     walk_operator.c  operators, comments, ends of lines
 *     shell_walk.c     one step, and the whole
 */
#include "shell_reserved.h"
#include "shell_walk.h"
#include <string.h>

enum {
    WALK_DEPTH_LIMIT = 64,    /* frames; deeper nesting is not followed */
    WALK_HEREDOC_LIMIT = 8,   /* here-documents that begin on one line */
    WALK_DELIMITER_LIMIT = 64 /* bytes of a here-document's delimiter */
};

typedef enum walk_kind {
    WALK_TOP,
    WALK_SUBST,   /* $( ), <( ), >( ) */
    WALK_GROUP,   /* ( ) */
    WALK_CASE,    /* from `case` to `esac` */
    WALK_COND,    /* [[ ]] */
    WALK_ARRAY,   /* name=( ) */
    WALK_PATTERN, /* parentheses inside a word or a condition */
    WALK_DOUBLE,  /* " " */
    WALK_BRACE,   /* ${ } */
    WALK_ARITH    /* $(( )), (( )) */
} walk_kind;

/* What the next word of a command list is. */
typedef enum walk_pos {
    POS_KEYWORD, /* the first word: reserved words count */
    POS_UNSURE,  /* the first word after an assignment or the like: they perhaps count */
    POS_COMMAND, /* the first word if those before it expand to nothing: they do not count */
    POS_ARG,
    POS_FOR_NAME,
    POS_FOR_IN,
    POS_FUNCTION_NAME
} walk_pos;

typedef enum walk_phase { CASE_SUBJECT, CASE_WAIT_IN, CASE_PATTERNS, CASE_BODY } walk_phase;

typedef struct walk_frame {
    walk_kind kind;
    walk_pos pos;
    walk_phase phase;        /* CASE */
    shell_rule rule;         /* of the command at hand */
    size_t word;             /* where the word at hand begins */
    size_t depth;            /* ARITH: open parentheses inside */
    size_t value;            /* the first expression of a condition's clause: its part + 1, or 0 */
    size_t holds;            /* the first expression inside: its part + 1, or 0 */
    unsigned in_word : 1;    /* a word is at hand */
    unsigned plain : 1;      /* nothing in it is quoted or expanded */
    unsigned redirect : 1;   /* the next word is the target of a redirection */
    unsigned duplicate : 1;  /* ... of >& or <& */
    unsigned dash_v : 1;     /* the word before is -v: a name follows */
    unsigned modified : 1;   /* the word before is time, command or the like: its options may follow */
    unsigned options : 1;    /* the command has options (print: -P) */
    unsigned operands : 1;   /* of printf, print and set: no more options follow */
    unsigned arithmetic : 1; /* the clause compares numbers */
    unsigned pattern : 1;    /* CASE: something of the pattern was seen */
    unsigned quoted : 1;     /* BRACE, ARITH: inside double quotes */
    unsigned no_value : 1;   /* DOUBLE: $"..." */
} walk_frame;

typedef struct walk_heredoc {
    char delimiter[WALK_DELIMITER_LIMIT];
    size_t len;
    size_t depth; /* depth of the stack where it began */
    int tabs, quoted;
} walk_heredoc;

typedef struct walk {
    const template_text *text;
    shell_family family;
    char *flat; /* the text, an expression being one WALK_VALUE byte; ends with a NUL */
    size_t len;
    size_t *at, *part;  /* of each expression: where in `flat`, which part */
    size_t count, next; /* expressions, and the next one to be met */
    unsigned char *places;
    size_t i;
    size_t name_end; /* where the last $name or lone $ ended */
    walk_frame stack[WALK_DEPTH_LIMIT];
    size_t depth;
    walk_heredoc pending[WALK_HEREDOC_LIMIT];
    size_t pending_count;
    int done, code;
    int *ret_pipe;
    size_t fault;
    deja_error *err;
} walk;

#define WALK_VALUE '\1' /* only a filler: the text may hold the same byte */

static inline walk_frame *walk_top(walk *w)
{
    return &w->stack[w->depth - 1];
}

static inline char walk_peek(const walk *w, size_t ahead)
{
    return w->i + ahead < w->len ? w->flat[w->i + ahead] : 0;
}

static inline int walk_is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static inline int walk_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static inline int walk_is_commands(const walk_frame *f)
{
    return f->kind == WALK_TOP || f->kind == WALK_SUBST || f->kind == WALK_GROUP ||
           (f->kind == WALK_CASE && f->phase == CASE_BODY);
}

/* walk.c */
int walk_is_value(const walk *w, size_t at);                  /* an expression stands at flat[at] */
void walk_refuse_part(walk *w, size_t part, const char *why); /* refuses that expression and ends the walk */
void walk_refuse(walk *w, const char *why);                   /* refuses the next expression */
void walk_refuse_open(walk *w);                               /* refuses one in something still open */
void walk_lost(walk *w, const char *after);                   /* ends the walk: what follows is not certain */
walk_frame *walk_push(walk *w, walk_kind kind);               /* never NULL */
void walk_pop(walk *w);                                       /* back into the word outside */
void walk_begin_command(walk_frame *f);                       /* the next word is the first of a command */
void walk_word_piece(walk *w, int plain);                     /* a piece of a word begins at w->i */
walk_frame *walk_context_of(walk *w);                         /* what the word at hand is for */
size_t walk_word_name(const walk *w, const walk_frame *f);    /* bytes of a NAME that begins the word, or 0 */
int walk_is_assignment(const walk *w, const walk_frame *f);   /* the word begins with NAME= or NAME+= */
int walk_is_subscript(const walk *w, const walk_frame *f);    /* the word begins with NAME[ */
int walk_is_closed(const walk *w, const walk_frame *f);       /* the word has one [ and behind it one ] */
int walk_word_is(const walk *w, const walk_frame *f, const char *text); /* the word is plain and that one */

/* walk_value.c */
void walk_take_value(walk *w, shell_place place); /* the expression at w->i, if it may stand there */
void walk_bare_value(walk *w);                    /* the same outside quotes */

/* walk_quote.c: each passes what begins at w->i */
void walk_single_quotes(walk *w);
void walk_backticks(walk *w);
void walk_dollar(walk *w, int quoted);
void walk_step_double(walk *w);
void walk_step_brace(walk *w);
void walk_step_arith(walk *w);
void walk_skip_to(walk *w, size_t end, const char *where); /* refuses an expression before `end` */

/* walk_heredoc.c */
void walk_open_heredoc(walk *w);   /* at << */
void walk_heredoc_bodies(walk *w); /* at the newline that they follow */

/* walk_word.c */
void walk_end_word(walk *w); /* the word at hand ends at w->i */

/* walk_operator.c */
void walk_backslash(walk *w);
void walk_comment(walk *w);
void walk_newline(walk *w);
void walk_operator(walk *w);

#endif
