#ifndef SPOT_H
#define SPOT_H
/*
 * Putting one output in its place: made beside it and renamed over it, so that who looks sees the old file or
 * the whole new one. The file has no name until it is finished; where it replaces another it has a temporary
 * one for a moment,
 * ".deja-HASH-N" in the same folder, held by a lock (flock(2)) as long as its maker lives. One that is not
 * held any more is removed by the next placing of the same output.
 */
#include "state.h"

/* Parents are made. The new file is noted as OURS. DEJA_EEXIST when a folder is in the way. Any thread. */
int spot_put(deja_cache *c, int root_fd, const deja_output *o, deja_error *err);

#endif
