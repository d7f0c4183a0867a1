#ifndef CACHE_SHOW_H
#define CACHE_SHOW_H
/*
 * What `deja cache` shows, as text for people or as a line of JSON.
 */
#include <deja/cache.h>

void cache_show_stats(deja_buffer *b, const char *folder, const deja_cache_numbers *n, int json);
void cache_show_line(deja_buffer *b, const deja_listed *entry, int json);
void cache_show_entry(deja_buffer *b, const deja_entry *entry, int json);

#endif
