#ifndef GLOB_H
#define GLOB_H
/*
 * Patterns over paths, and the files of a folder. Paths are bytes, sorted by bytes. Within a component `*` is
 * any bytes (but no leading dot), `?` one character (a UTF-8 sequence, or a byte where that is invalid; no
 * leading dot), `[a-z]`, `[!x]`, `[^x]` one character of a set, `\` takes the next character as it is; none
 * of them matches a slash. A component `**` is any number of folders, none included; it neither enters
 * folders whose name begins with a dot nor follows symbolic links. A `[` without its `]` is literal. `{a,b}`
 * means itself.
 */
#include <deja/buffer.h>
#include <deja/memory.h>

enum glob_type {
    GLOB_FILE,   /* a regular file */
    GLOB_LINK,   /* a symbolic link; from glob_find one that does not lead to a folder */
    GLOB_FOLDER, /* from glob_find with a pattern that ends with a slash; from glob_tree: an empty one */
    GLOB_SPECIAL /* a fifo, socket or device */
};

/* Paths found. Zeroed memory is an empty list. */
typedef struct glob_list {
    const char **paths;   /* sorted by bytes, NUL-terminated, in `arena` */
    unsigned char *types; /* glob_type of each */
    size_t count, cap;
    deja_arena arena;
} glob_list;
void glob_list_done(glob_list *l);

/* 1 when the text has an unescaped * ? or [. */
int glob_is_pattern(const char *text);

/* The length of the folders, with the last slash, that begin a pattern and are plain text. */
size_t glob_base(const char *pattern);

/* Appends `text` so that it stands for itself in a pattern. */
void glob_escape(deja_buffer *b, const char *text, size_t len);

/* Appends `pattern` without its escapes: the path that a pattern without * ? [ stands for. */
void glob_unescape(deja_buffer *b, const char *pattern);

/* 1 when `path` matches, by the text alone. Time is at most the product of the lengths. */
int glob_match(const char *pattern, const char *path);

/*
 * Finds what matches `pattern` as seen from folder `dirfd` (AT_FDCWD allowed), each path once, spelled as the
 * pattern begins ("./x" stays
 * "./x...", an absolute pattern gives absolute paths; only doubled slashes become one). Folders and links to
 * folders match only a pattern that ends with a slash, and then end with one. A final `**` without a slash
 * means every file below. No match is an empty list; so is a missing folder. A link to a folder is entered
 * where the pattern names or matches it, never under `**`. A folder that cannot be read is an error that
 * names it; more than 63 components from the first pattern on are DEJA_ELIMIT. `ret` is emptied first.
 */
int glob_find(int dirfd, const char *pattern, glob_list *ret, deja_error *err);

/*
 * All files below `folder` (dot-files included; "a/" and "a" alike give "a/x", "." gives "x"), and the
 * folders without any entry, `folder` itself perhaps, sorted. Links are listed, never followed, but `folder`
 * itself may be one. DEJA_ENOTFOUND when it is missing, DEJA_ETYPE when it is no folder.
 */
int glob_tree(int dirfd, const char *folder, glob_list *ret, deja_error *err);

#endif
