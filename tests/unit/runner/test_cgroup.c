/* cgroup.h: groups made, joined, emptied and removed, where a tree of version 2 is mounted and we may write
 * to it. */
#include "cgroup.h"
#include "commands.h"
#include "table.h"

#include <deja/cleanup.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* Of a machine with both versions, or with the second alone. */
static const char *tree(void)
{
    return access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
}

static const char *group_of(pid_t pid)
{
    static char text[4096];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    char *line = strstr(text, "0::");
    if (!line)
        return "";
    line[strcspn(line, "\n")] = '\0';
    return line + 3;
}

static int is_there(const char *group)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", tree(), group);
    return access(path, F_OK) == 0;
}

/* A child in the group of job 7. */
static pid_t start_in(cgroup *g)
{
    int fd = cgroup_add(g, 7, 1 << 30);
    assert_true(fd >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (write(fd, "0", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(fd);
    for (int i = 0; i < commands_patience_ms && !strstr(group_of(pid), ".7"); i++)
        poll(NULL, 0, 1);
    assert_non_null(strstr(group_of(pid), ".7"));
    return pid;
}

static void test_cgroup__a_job_has_its_own_and_leaves_none(void **state)
{
    (void)state;
    cgroup g;
    char own[4096], name[256];
    cgroup_init(&g, commands_id());
    snprintf(own, sizeof own, "%s", group_of(getpid()));
    if (!cgroup_open_in(&g, tree(), ""))
        skip();
    pid_t pid = start_in(&g);
    snprintf(name, sizeof name, "%s", group_of(pid) + 1);
    assert_true(is_there(name));
    assert_int_equal(cgroup_end(&g, 7), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid); /* what was left in it was killed */
    assert_true(WIFSIGNALED(status));
    cgroup_close(&g);
    assert_false(is_there(name));
    assert_string_equal(group_of(getpid()), own);
}

/* With its setsid(2) children, and gone with it. */
static void test_cgroup__a_command_with_a_limit_runs_in_one(void **state)
{
    (void)state;
    deja_runner *r = commands_open();
    if (!cgroup_open_in(&r->host.cgroup, tree(), "")) {
        deja_runner_close(r);
        skip();
    }
    const char *argv[] = {"/bin/sh", "-c", "setsid cat /proc/self/cgroup", NULL};
    deja_command c = {.argv = argv,
                      .file = argv[0],
                      .env = (const char *const *)environ,
                      .stdin_fd = -1,
                      .memory_bytes = UINT64_C(1) << 30};
    assert_int_equal(deja_runner_start(r, &c, NULL), 0);
    deja_outcome o = commands_next(r);
    const char *line = strstr(commands_text(&o.out), "0::");
    assert_non_null(line);
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line + 4, "\n"), line + 4);
    assert_non_null(strstr(name, r->host.cgroup.name));
    assert_int_equal(o.oom, DEJA_OOM_NONE);
    assert_false(is_there(name));
    deja_outcome_done(&o);
    deja_runner_close(r);
}

static void test_cgroup__without_the_controller_there_is_none(void **state)
{
    (void)state;
    cgroup g;
    cgroup_init(&g, commands_id());
    assert_int_equal(cgroup_open_in(&g, tree(), "no-such-controller"), 0);
    assert_int_equal(cgroup_add(&g, 1, 1 << 30), -1);
    assert_int_equal(cgroup_end(&g, 1), 0);
    cgroup_close(&g);
    cgroup_init(&g, commands_id());
    assert_int_equal(cgroup_open_in(&g, "/proc", ""), 0);
    cgroup_close(&g);
}

/* A process in a group of its own, which is given to it as systemd does it, with a controller to hand on. */
static int in_a_delegated_group(void)
{
    char own[300], path[512], pid[32];
    cgroup g;
    int status = 77;
    snprintf(own, sizeof own, "%s/deja-unit-%d", tree(), (int)getpid());
    snprintf(path, sizeof path, "%s/cgroup.procs", own);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (mkdir(own, 0755) < 0 || setxattr(own, "trusted.delegate", "1", 1, 0) < 0)
        return 77;
    FILE *f = fopen(path, "w");
    if (!f || fputs(pid, f) < 0 || fclose(f) != 0)
        return 77;
    cgroup_init(&g, "unit");
    if (cgroup_open_in(&g, tree(), "hugetlb")) {
        int aside = strstr(group_of(getpid()), "/deja-unit.self") != NULL && g.moved;
        pid_t pid_in = start_in(&g);
        cgroup_end(&g, 7);
        waitpid(pid_in, NULL, 0);
        cgroup_close(&g);
        snprintf(path, sizeof path, "%s/deja-unit.self", own);
        status = !aside ? 1 : strstr(group_of(getpid()), ".self") ? 2 : access(path, F_OK) == 0 ? 3 : 0;
    }
    return status;
}

/* The tree lets no process be where a controller is handed on. */
static void test_cgroup__we_step_aside_and_come_back(void **state)
{
    (void)state;
    char own[300], path[512], text[16] = "";
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(in_a_delegated_group());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    snprintf(own, sizeof own, "%s/deja-unit-%d", tree(), (int)pid);
    snprintf(path, sizeof path, "%s/cgroup.procs", own);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    rmdir(own);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(n, 0);
    assert_int_not_equal(access(own, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cgroup__a_job_has_its_own_and_leaves_none),
        cmocka_unit_test(test_cgroup__a_command_with_a_limit_runs_in_one),
        cmocka_unit_test(test_cgroup__without_the_controller_there_is_none),
        cmocka_unit_test(test_cgroup__we_step_aside_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
