/*
 * The nearest word, for "did you mean": optimal string alignment distance (Boytsov 2011, "Indexing methods
 * for approximate dictionary searching", section 2.1): insert, delete, replace, or swap two neighbours, each
 * costs one.
 */
#include <deja/text.h>
#include <string.h>

#define LONGEST 128 /* bytes; a longer word is not a misspelled keyword */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The distance of two words of at most LONGEST bytes, with three rows of the table. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][LONGEST + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(row[j], least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *deja_text_nearest(const char *word, const char *const *words, size_t n)
{
    size_t len = strlen(word);
    unsigned limit = len ? (unsigned)((len + 2) / 3) : 1;
    const char *nearest = NULL;
    for (size_t i = 0; len <= LONGEST && i < n; i++) {
        size_t other = strlen(words[i]);
        if (other > LONGEST)
            continue;
        unsigned d = distance(word, len, words[i], other);
        /* Two words without a letter in common are no misspellings of each other, however short. */
        if (d > limit || d >= (len > other ? len : other) + (d == 0))
            continue;
        if (d == 0)
            return words[i];
        nearest = words[i];
        limit = d - 1;
    }
    return nearest;
}
