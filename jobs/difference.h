#ifndef DIFFERENCE_H
#define DIFFERENCE_H
/*
 * What differs between two keys, field by field: which input changed, which variable, which word of the
 * command.
 */
#include <deja/key.h>

/* One field that is not the same. All is borrowed from the two encodings. */
typedef struct difference {
    int in_old, in_new; /* which of them has it; at least one */
    deja_field old_field, new_field;
    int old_executable, new_executable; /* of a file */
    uint32_t position;                  /* of a word, from 1 */
} difference;

/* Zeroed memory is an empty list, and one may be used again. */
typedef struct differences {
    difference *list; /* in the order in which people want to hear of them */
    size_t count, cap;
    void *items; /* private */
    size_t item_cap;
} differences;

/* Compares two encodings: 0, DEJA_ECORRUPT where one of them is none, DEJA_ENOMEM. */
int differences_find(differences *d, const void *old_encoding, size_t old_len, const void *new_encoding,
                     size_t new_len);

/* Appends a difference as a few words, escaped: "input 'data/3.txt' changed", "variable 'LANG': 'C' ->
 * 'en_US.UTF-8'". Of long values what differs is shown; of secrets nothing. */
void difference_text(deja_buffer *b, const difference *d);

/* Appends {"what":"input","name":"data/3.txt","change":"changed","old":...,"new":...}. */
void difference_json(deja_buffer *b, const difference *d);

void differences_done(differences *d);

#endif
