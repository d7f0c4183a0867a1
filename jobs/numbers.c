/*
 * Levels of 64-bit words, each a summary of the one below it: a million numbers have four.
 */
#include "numbers.h"
#include <deja/error.h>
#include <deja/memory.h>
#include <string.h>

#define MOST_LEVELS 6 /* 64^6 > 2^32 */

typedef struct levels {
    uint64_t *words[MOST_LEVELS];
    uint32_t counts[MOST_LEVELS]; /* of words */
    int count;
} levels;

static levels levels_of(const numbers *s)
{
    levels l = {0};
    uint64_t *at = s->words;
    uint64_t bits = s->limit;
    do {
        l.words[l.count] = at;
        l.counts[l.count] = (uint32_t)((bits + 63) / 64);
        bits = l.counts[l.count];
        at += l.counts[l.count++];
    } while (bits > 1);
    return l;
}

int numbers_init(numbers *s, uint32_t limit)
{
    size_t words = 0;
    uint64_t bits = limit;
    do
        words += bits = (bits + 63) / 64;
    while (bits > 1);
    *s = (numbers){.words = deja_calloc(words ? words : 1, sizeof *s->words), .limit = limit};
    return s->words ? 0 : DEJA_ENOMEM;
}

void numbers_done(numbers *s)
{
    deja_free(s->words);
    *s = (numbers){0};
}

int numbers_has(const numbers *s, uint32_t number)
{
    return s->words[number / 64] >> number % 64 & 1;
}

int numbers_add(numbers *s, uint32_t number)
{
    if (numbers_has(s, number))
        return 0;
    levels l = levels_of(s);
    s->count++;
    for (int i = 0; i < l.count; i++, number /= 64) {
        uint64_t *word = &l.words[i][number / 64], before = *word;
        *word |= UINT64_C(1) << number % 64;
        if (before)
            break;
    }
    return 1;
}

int numbers_remove(numbers *s, uint32_t number)
{
    if (!numbers_has(s, number))
        return 0;
    levels l = levels_of(s);
    s->count--;
    for (int i = 0; i < l.count; i++, number /= 64) {
        uint64_t *word = &l.words[i][number / 64];
        *word &= ~(UINT64_C(1) << number % 64);
        if (*word)
            break;
    }
    return 1;
}

int numbers_next(const numbers *s, uint32_t from, uint32_t *ret)
{
    if (from >= s->limit)
        return 0;
    levels l = levels_of(s);
    uint64_t at = from;
    int level = 0;
    for (; level < l.count; level++, at = at / 64 + 1) {
        uint64_t word = at / 64 < l.counts[level] ? l.words[level][at / 64] >> at % 64 << at % 64 : 0;
        if (word) {
            at = at / 64 * 64 + (uint64_t)__builtin_ctzll(word);
            break;
        }
    }
    if (level == l.count)
        return 0;
    for (; level > 0; level--)
        at = at * 64 + (uint64_t)__builtin_ctzll(l.words[level - 1][at]);
    *ret = (uint32_t)at;
    return 1;
}
