/*
 * CPU counts from trees that look like /proc and the cgroups of machines and containers.
 */
#include "commands.h"
#include "cpu.h"
#include "scratch.h"

#include <deja/file.h>
#include <sched.h>

static const char *root;

static void put(const char *path, const char *text)
{
    char whole[4096];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    assert_int_equal(deja_file_make_parents(AT_FDCWD, whole, 0755, NULL), 0);
    FILE *f = fopen(whole, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    int rc = scratch_setup(state);
    root = *state;
    return rc;
}

#define V2_MOUNT    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define OTHER_MOUNT "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw,cpu\n"
#define V1_MOUNT                                                                                             \
    "31 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"                                      \
    "32 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"

static void test_cpu__version_2_takes_the_smallest_on_the_way_up(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/user.slice/app\n");
    put("/proc/self/mountinfo", OTHER_MOUNT V2_MOUNT);
    put("/sys/fs/cgroup/user.slice/app/cpu.max", "max 100000\n");
    assert_int_equal(cpu_quota(root), 0);
    put("/sys/fs/cgroup/user.slice/cpu.max", "250000 100000\n");
    assert_int_equal(cpu_quota(root), 3);
    put("/sys/fs/cgroup/user.slice/app/cpu.max", "10000 100000\n");
    assert_int_equal(cpu_quota(root), 1);
}

static void test_cpu__version_1_reads_the_cpu_hierarchy(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "5:cpuset:/a\n4:cpu,cpuacct:/docker/x\n0::/\n");
    put("/proc/self/mountinfo", OTHER_MOUNT V1_MOUNT);
    put("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(cpu_quota(root), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "150000\n");
    assert_int_equal(cpu_quota(root), 2);
}

static void test_cpu__a_container_sees_its_group_as_the_top(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:cpu,cpuacct:/docker/x/inner\n");
    put("/proc/self/mountinfo", "32 23 0:28 /docker/x /sys/fs/c\\040g rw - cgroup cgroup rw,cpu\n");
    put("/sys/fs/c g/cpu.cfs_period_us", "50000\n");
    put("/sys/fs/c g/cpu.cfs_quota_us", "200000\n");
    assert_int_equal(cpu_quota(root), 4);
    put("/sys/fs/c g/inner/cpu.cfs_period_us", "50000\n");
    put("/sys/fs/c g/inner/cpu.cfs_quota_us", "100000\n");
    assert_int_equal(cpu_quota(root), 2);
    put("/proc/self/cgroup", "4:cpu:/../elsewhere\n");
    assert_int_equal(cpu_quota(root), 4);
}

static void test_cpu__nonsense_is_no_quota(void **state)
{
    (void)state;
    assert_int_equal(cpu_quota(root), 0);
    put("/proc/self/cgroup", "\n::\n0\n0:\n0::/a\n");
    put("/proc/self/mountinfo", "\n - \n1 2 3 - cgroup2\n" V2_MOUNT);
    static const char *const texts[] = {"",
                                        "\n",
                                        "max",
                                        "0 100000",
                                        "-5 100000",
                                        "100000 0",
                                        "x y",
                                        "1e5 100000",
                                        "99999999999999999999 1",
                                        "9000000000000000000 1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("/sys/fs/cgroup/a/cpu.max", texts[i]);
        assert_int_equal(cpu_quota(root), 0);
    }
}

static void test_cpu__count_is_within_the_affinity(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_in_range(deja_cpu_count(), 1, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int i = 0; !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(deja_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cpu__version_2_takes_the_smallest_on_the_way_up, setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_cpu__version_1_reads_the_cpu_hierarchy, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_cpu__a_container_sees_its_group_as_the_top, setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_cpu__nonsense_is_no_quota, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_cpu__count_is_within_the_affinity, setup, scratch_teardown),
    };
    return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
