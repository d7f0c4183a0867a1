/* Answers and what they lie in, see answer.h. */
#include "answer.h"
#include <deja/image.h>
#include <deja/memory.h>
#include <stdatomic.h>

static void holder_free(holder *h)
{
    deja_mapped_done(&h->mapped);
    deja_entry_free(h->entry);
    deja_product_done(&h->product);
    deja_arena_done(&h->arena);
    deja_free(h->copy);
    deja_free(h);
}

static holder *holder_new(void)
{
    holder *h = deja_calloc(1, sizeof *h);
    if (h) {
        atomic_store(&h->users, 1);
        h->product.fd = -1;
    }
    return h;
}

void holder_release(holder *h)
{
    if (h && atomic_fetch_sub(&h->users, 1) == 1)
        holder_free(h);
}

static answer out_of_memory(void)
{
    return (answer){.code = DEJA_ENOMEM};
}

static int is_number(const deja_value *v)
{
    return v->kind <= DEJA_F64;
}

int answer_of_copy(const deja_value *v, answer *ret)
{
    holder *h = holder_new();
    if (!h || !(h->copy = deja_value_dup(v))) {
        holder_release(h);
        return DEJA_ENOMEM;
    }
    *ret = (answer){.value = *h->copy, .in = h};
    return 0;
}

/* A write to it faults, whoever has it. */
static int is_sealed(const holder *h)
{
    return h->product.len ? deja_product_is_sealed(&h->product) : h->mapped.map != NULL;
}

static answer copy_of(const answer *a)
{
    answer b;
    if (answer_of_copy(&a->value, &b) < 0)
        return out_of_memory();
    b.was_cached = a->was_cached;
    b.wall_ns = a->wall_ns;
    return b;
}

answer answer_share(const answer *a)
{
    answer b = *a;
    if (a->in && !is_sealed(a->in))
        return copy_of(a);
    if (a->text && !(b.text = deja_strdup(a->text)))
        return out_of_memory();
    if (a->in)
        atomic_fetch_add(&a->in->users, 1);
    return b;
}

answer answer_of_error(const deja_error *err)
{
    return (answer){.code = err->code, .text = deja_strdup(err->text)};
}

answer answer_of_outcome(deja_task_outcome *o)
{
    answer a = {.code = o->code, .wall_ns = o->wall_ns};
    if (o->code < 0) {
        a.text = o->text;
        o->text = NULL;
        return a;
    }
    a.value = o->product.scalar;
    if (o->product.len == 0)
        return a;
    deja_error err;
    a.in = holder_new();
    if (!a.in)
        return out_of_memory();
    a.in->product = o->product;
    o->product = (deja_product){.fd = -1};
    if (deja_image_read(a.in->product.image, a.in->product.len, NULL, &a.in->arena, &a.value, &err) < 0) {
        holder_release(a.in);
        return answer_of_error(&err);
    }
    return a;
}

answer answer_without_file(answer a)
{
    if (a.in)
        deja_product_close_file(&a.in->product);
    return a;
}

int answer_of_entry(deja_cache *c, deja_entry *entry, answer *ret, deja_error *err)
{
    answer a = {.was_cached = 1, .wall_ns = entry->wall_ns};
    holder *h = holder_new();
    if (!h) {
        deja_entry_free(entry);
        return deja_fail(err, DEJA_ENOMEM, "load a result: out of memory");
    }
    h->entry = entry;
    int rc = deja_cache_map_value(c, entry, &h->mapped, err);
    if (rc == 0)
        rc = deja_image_read(h->mapped.data, h->mapped.len, NULL, &h->arena, &a.value, err);
    if (rc < 0 || is_number(&a.value))
        holder_release(h);
    else
        a.in = h;
    if (rc == 0)
        *ret = a;
    return rc;
}

void answer_done(answer *a)
{
    holder_release(a->in);
    deja_free(a->text);
    *a = (answer){0};
}
