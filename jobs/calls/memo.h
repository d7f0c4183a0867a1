#ifndef MEMO_H
#define MEMO_H
/* Keys and values around code that is already there. */
#include "context.h"

void memo_free_all(deja *d);

#endif
