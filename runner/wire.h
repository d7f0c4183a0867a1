#ifndef WIRE_H
#define WIRE_H
/*
 * Descriptors on their way from a worker to the program: one for each message, on a socket of the worker's
 * place, which keeps what a worker sent before it died.
 */
#include <deja/error.h>

enum wire_kind {
    wire_result, /* the file of a result: note, length */
    wire_out,    /* what a call wrote to descriptor 1 ... */
    wire_err,    /* ... and 2, sent before it runs */
    wire_stream, /* map: texts and small results of one worker: note, number of the stream */
    wire_item,   /* map: the file of an item's result: note, length, item */
};

typedef struct wire_message {
    uint32_t kind;
    uint32_t reserved;
    uint64_t note; /* generation and slot of the task */
    uint64_t len;
    uint64_t item;
} wire_message;

/* SOCK_SEQPACKET, close-on-exec. */
int wire_pair(int *ret_program, int *ret_worker, deja_error *err);

/* 0; 1: would have to wait; negative: the socket is not usable (errno). */
int wire_send(int socket, const wire_message *m, int fd);
int wire_wait(int socket); /* until a message fits: 0 or negative */

/* 1 with *ret_fd (-1 where the descriptor did not come, for want of room), 0: none is there. */
int wire_receive(int socket, wire_message *m, int *ret_fd);

#endif
