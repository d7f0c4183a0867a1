#ifndef JOINT_H
#define JOINT_H
/*
 * How the instances of a job and of one that it needs belong together: an instance needs those whose values,
 * as texts, of all names that both matrices have are equal. Instances that agree in these are a group: every
 * reader of a group needs every maker of it. Computed by strides wherever both matrices are plain products of
 * different values; then an instance costs no memory at all.
 */
#include "matrix.h"

typedef struct joint joint;

/* 1 when the matrices have a name in common; 2 when all names of `needed` are among them. */
int joint_shares(const matrix *reader, const matrix *needed);

/*
 * Of two matrices that have all their values and a name in common; they are borrowed only during the call.
 * DEJA_ENOTFOUND when some reader's group has no maker: `ret_missing` is the number of the first such reader.
 * DEJA_ENOMEM, DEJA_ELIMIT.
 */
int joint_open(joint **ret, const matrix *reader, const matrix *needed, uint32_t *ret_missing,
               deja_error *err);
void joint_close(joint *j); /* NULL is fine */

uint32_t joint_groups(const joint *j);
uint32_t joint_of_reader(const joint *j, uint32_t reader);
uint32_t joint_of_maker(const joint *j, uint32_t maker);

/* 1 when each group has one maker. */
int joint_is_single(const joint *j);

/* The members of a group in batch order, and how many there are. Of readers there may be none. */
uint32_t joint_maker_count(const joint *j, uint32_t group);
uint32_t joint_maker(const joint *j, uint32_t group, uint32_t i);
uint32_t joint_reader_count(const joint *j, uint32_t group);
uint32_t joint_reader(const joint *j, uint32_t group, uint32_t i);

#endif
