#ifndef NUMBERS_H
#define NUMBERS_H
/*
 * A set of numbers below a limit: a bit for each. The least one is found in a few steps, however many numbers
 * there could be. Zeroed memory is a set below 0.
 */
#include <stdint.h>

typedef struct numbers {
    uint64_t *words; /* a bit for each number; then one for each word of these that is not 0; and so on */
    uint32_t limit;
    uint32_t count; /* of numbers in the set */
} numbers;

/* An empty set of numbers < limit. DEJA_ENOMEM. */
int numbers_init(numbers *s, uint32_t limit);
void numbers_done(numbers *s);

/* 1 when that changes the set. */
int numbers_add(numbers *s, uint32_t number);
int numbers_remove(numbers *s, uint32_t number);

int numbers_has(const numbers *s, uint32_t number);

/* The least one that is >= from: 1; 0 when there is none. */
int numbers_next(const numbers *s, uint32_t from, uint32_t *ret);

#endif
