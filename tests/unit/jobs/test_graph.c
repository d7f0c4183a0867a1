/* graph.h: edges between definitions, cycles, who waits for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "graph.h"
#include <deja/memory.h>

static graph make_graph(uint32_t count)
{
    graph g;
    assert_int_equal(graph_init(&g, count), 0);
    assert_int_equal(g.count, count);
    return g;
}

static void add(graph *g, uint32_t from, uint32_t to)
{
    assert_int_equal(graph_add(g, from, &(graph_edge){.to = to}), 1);
}

/* The nodes of the cycle from `start` on, which must be `nodes` from any of them on; none with count 0. */
static void expect_cycle(const graph *g, uint32_t start, const uint32_t *nodes, size_t count)
{
    uint32_t *path = NULL;
    size_t have = 0, first = 0;
    assert_int_equal(graph_cycle(g, start, &path, &have), count > 0);
    assert_int_equal(have, count);
    while (first < count && path[0] != nodes[first])
        first++;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(path[i], nodes[(first + i) % count]);
    deja_free(path);
}

static void test_graph__an_edge_is_seen_from_both_sides(void **state)
{
    (void)state;
    graph g = make_graph(3);
    int note;
    assert_null(graph_find(&g, 0, 1));
    assert_int_equal(graph_add(&g, 0, &(graph_edge){.to = 1, .data = 1, .note = &note}), 1);
    const graph_edge *edge = graph_find(&g, 0, 1);
    assert_non_null(edge);
    assert_int_equal(edge->to, 1);
    assert_int_equal(edge->data, 1);
    assert_ptr_equal(edge->note, &note);
    assert_null(graph_find(&g, 1, 0));
    assert_int_equal(g.nodes[1].dependant_count, 1);
    assert_int_equal(g.nodes[1].dependants[0].from, 0);
    assert_int_equal(g.nodes[0].dependant_count, 0);
    graph_done(&g);
}

static void test_graph__an_edge_is_there_once(void **state)
{
    (void)state;
    graph g = make_graph(2);
    int one, two;
    assert_int_equal(graph_add(&g, 0, &(graph_edge){.to = 1, .note = &one}), 1);
    assert_int_equal(graph_add(&g, 0, &(graph_edge){.to = 1, .data = 1, .note = &two}), 0);
    assert_int_equal(graph_find(&g, 0, 1)->data, 1);
    assert_ptr_equal(graph_find(&g, 0, 1)->note, &one);
    assert_int_equal(graph_add(&g, 0, &(graph_edge){.to = 1}), 0);
    assert_int_equal(graph_find(&g, 0, 1)->data, 1);
    assert_int_equal(g.nodes[0].need_count, 1);
    assert_int_equal(g.nodes[1].dependant_count, 1);
    graph_done(&g);
}

static void test_graph__of_no_nodes_has_no_cycle(void **state)
{
    (void)state;
    graph g = make_graph(0);
    expect_cycle(&g, UINT32_MAX, NULL, 0);
    graph_done(&g);
    graph_done(&g);
}

/* 0 leads to the cycle 1 2 3 and to 4; 5 needs itself. */
static void test_graph__a_cycle_is_named_link_by_link(void **state)
{
    (void)state;
    graph g = make_graph(6);
    add(&g, 0, 4);
    add(&g, 0, 1);
    add(&g, 1, 4);
    add(&g, 1, 2);
    add(&g, 2, 3);
    expect_cycle(&g, UINT32_MAX, NULL, 0);
    add(&g, 3, 1);
    add(&g, 5, 5);
    for (uint32_t start = 0; start < 4; start++)
        expect_cycle(&g, start, (const uint32_t[]){1, 2, 3}, 3);
    expect_cycle(&g, 4, NULL, 0);
    expect_cycle(&g, 5, (const uint32_t[]){5}, 1);
    expect_cycle(&g, g.count, (const uint32_t[]){1, 2, 3}, 3);
    graph_done(&g);
}

static void test_graph__waiting_goes_by_way_of_others(void **state)
{
    (void)state;
    graph g = make_graph(5);
    add(&g, 0, 1);
    add(&g, 1, 2);
    add(&g, 3, 2);
    assert_int_equal(graph_waits_for(&g, 0, 1), 1);
    assert_int_equal(graph_waits_for(&g, 0, 2), 1);
    assert_int_equal(graph_waits_for(&g, 2, 0), 0);
    assert_int_equal(graph_waits_for(&g, 0, 3), 0);
    assert_int_equal(graph_waits_for(&g, 3, 1), 0);
    assert_int_equal(graph_waits_for(&g, 0, 0), 0);
    assert_int_equal(graph_waits_for(&g, 4, 0), 0);
    graph_done(&g);
}

/* Neither a stack that grows with the length nor one step for each way: else this does not end. */
static void test_graph__long_chains_and_many_ways(void **state)
{
    (void)state;
    enum { LENGTH = 300000, LAYERS = 100 };
    graph chain = make_graph(LENGTH), diamonds = make_graph(3 * LAYERS + 1);
    for (uint32_t i = 0; i + 1 < LENGTH; i++)
        add(&chain, i, i + 1);
    expect_cycle(&chain, UINT32_MAX, NULL, 0);
    assert_int_equal(graph_waits_for(&chain, 0, LENGTH - 1), 1);
    add(&chain, LENGTH - 1, LENGTH - 2);
    expect_cycle(&chain, 0, (const uint32_t[]){LENGTH - 2, LENGTH - 1}, 2);
    for (uint32_t i = 0; i < 3 * LAYERS; i += 3) {
        add(&diamonds, i, i + 1);
        add(&diamonds, i, i + 2);
        add(&diamonds, i + 1, i + 3);
        add(&diamonds, i + 2, i + 3);
    }
    expect_cycle(&diamonds, 0, NULL, 0);
    assert_int_equal(graph_waits_for(&diamonds, 0, 3 * LAYERS), 1);
    graph_done(&chain);
    graph_done(&diamonds);
}

static int scenario(void)
{
    graph g;
    uint32_t *path = NULL;
    size_t count;
    int status = graph_init(&g, 20);
    for (uint32_t i = 0; status >= 0 && i < 20; i++) {
        status = graph_add(&g, i, &(graph_edge){.to = (i + 1) % 20});
        /* What failed is there from neither side. */
        assert_int_equal(g.nodes[i].need_count, status == 1);
        assert_int_equal(g.nodes[(i + 1) % 20].dependant_count, status == 1);
    }
    if (status >= 0)
        status = graph_waits_for(&g, 0, 19);
    if (status >= 0)
        status = graph_cycle(&g, UINT32_MAX, &path, &count);
    deja_free(path);
    graph_done(&g);
    return status;
}

static void test_graph__any_allocation_may_fail(void **state)
{
    (void)state;
    long n = 1;
    for (int status; failing_alloc_at(n), (status = scenario()) != 1; n++)
        assert_int_equal(status, DEJA_ENOMEM);
    failing_alloc_at(0);
    assert_true(n > 40);
}

/* The walk meets a cycle first, and goes on behind it. */
static void test_graph__waits_beside_a_cycle(void **state)
{
    (void)state;
    graph g;
    assert_int_equal(graph_init(&g, 3), 0);
    assert_int_equal(graph_add(&g, 0, &(graph_edge){.to = 1}), 1);
    assert_int_equal(graph_add(&g, 1, &(graph_edge){.to = 0}), 1);
    assert_int_equal(graph_add(&g, 0, &(graph_edge){.to = 2}), 1);
    assert_int_equal(graph_waits_for(&g, 0, 2), 1);
    assert_int_equal(graph_waits_for(&g, 1, 2), 1);
    assert_int_equal(graph_waits_for(&g, 2, 0), 0);
    graph_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph__waits_beside_a_cycle),
        cmocka_unit_test(test_graph__an_edge_is_seen_from_both_sides),
        cmocka_unit_test(test_graph__an_edge_is_there_once),
        cmocka_unit_test(test_graph__of_no_nodes_has_no_cycle),
        cmocka_unit_test(test_graph__a_cycle_is_named_link_by_link),
        cmocka_unit_test(test_graph__waiting_goes_by_way_of_others),
        cmocka_unit_test(test_graph__long_chains_and_many_ways),
        cmocka_unit_test(test_graph__any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
