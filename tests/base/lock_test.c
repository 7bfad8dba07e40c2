/* One writer at a time, and the dead hold nothing. */
#include "context.h"
#include "base/lock.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* In the library's place of the C library's: a file system that knows no flock. */
static bool no_flock;
int flock(int fd, int operation)
{
    if (!no_flock)
        return (int)syscall(SYS_flock, fd, operation);
    errno = ENOLCK;
    return -1;
}

static int begin(void **state)
{
    (void)state;
    return begin_folder("lock", 0);
}

static bool there(const char *name)
{
    return access(at(name), F_OK) == 0;
}

/* A process that takes the lock, says so on the pipe and waits to be killed. */
static pid_t start_holder(const char *path)
{
    int ends[2];
    char c = 0;
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        gg_lock *l = NULL;
        const char ok = gg_lock_take(&l, ctx, path) == GG_OK ? 'y' : 'n';
        if (write(ends[1], &ok, 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ends[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    close(ends[0]);
    close(ends[1]);
    return pid;
}

static void the_second_is_refused_with_the_holders_id(void **state)
{
    (void)state;
    gg_lock *l = NULL;
    char name[32], host[128] = "";
    gethostname(host, sizeof host - 1);
    const pid_t pid = start_holder(at("a.nag"));
    assert_int_equal(gg_lock_take(&l, ctx, at("a.nag")), GG_EBUSY);
    assert_null(l);
    snprintf(name, sizeof name, "process %ld on ", (long)pid);
    expect_message(name);
    expect_message(host);
    expect_message("a.nag: ");
    assert_true(there("a.nag.lock"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(there("a.nag.lock")); /* nobody tidied up, */
    assert_int_equal(gg_lock_take(&l, ctx, at("a.nag")), GG_OK); /* and nothing is in the way */
    gg_lock_free(l);
    assert_false(there("a.nag.lock"));
}

static void a_process_does_not_take_its_own_lock_twice(void **state)
{
    (void)state;
    gg_lock *a = NULL, *b = NULL, *other = NULL;
    assert_int_equal(gg_lock_take(&a, ctx, at("b.nag")), GG_OK);
    assert_int_equal(gg_lock_take(&b, ctx, at("b.nag")), GG_EBUSY);
    assert_int_equal(gg_lock_take(&other, ctx, at("c.nag")), GG_OK);
    write_text_file("b.nag", "x");
    assert_int_equal(symlink("b.nag", at("link.nag")), 0);
    assert_int_equal(gg_lock_take(&b, ctx, at("link.nag")), GG_EBUSY); /* two names of one file */
    gg_lock_free(a);
    assert_int_equal(gg_lock_take(&b, ctx, at("link.nag")), GG_OK);
    gg_lock_free(b);
    gg_lock_free(other);
}

static void what_the_file_says_does_not_hold_without_the_lock(void **state)
{
    (void)state;
    gg_lock *l = NULL;
    char text[64];
    snprintf(text, sizeof text, "process %ld\nhost elsewhere\nsince 2001-01-01T00:00:00Z\n", (long)getpid());
    write_text_file("d.nag.lock", text);
    assert_int_equal(gg_lock_take(&l, ctx, at("d.nag")), GG_OK);
    gg_lock_free(l);
    write_text_file("d.nag.lock", "not ours at all");
    assert_int_equal(gg_lock_take(&l, ctx, at("d.nag")), GG_OK);
    gg_lock_free(l);
}

static void pipes_need_no_lock_and_missing_folders_are_told(void **state)
{
    (void)state;
    gg_lock *l = (gg_lock *)1;
    assert_int_equal(gg_lock_take(&l, ctx, "-"), GG_OK);
    assert_null(l);
    assert_int_equal(gg_lock_take(&l, ctx, "/dev/null"), GG_OK);
    assert_null(l);
    assert_int_equal(gg_lock_take(&l, ctx, at("nowhere/x.nag")), GG_ENOENT);
    expect_message("nowhere/x.nag: cannot write it: there is no folder");
    gg_lock_free(NULL);
}

/* Processes add 1 to a number in a file, reading and writing it apart: without the lock some additions are lost. */
static void of_many_one_at_a_time(void **state)
{
    (void)state;
    enum { PROCESSES = 6, ROUNDS = 60 };
    write_text_file("sum", "0");
    for (int p = 0; p < PROCESSES; p++)
        if (fork() == 0) {
            for (int i = 0; i < ROUNDS; i++) {
                gg_lock *l = NULL;
                gg_status s;
                while ((s = gg_lock_take(&l, ctx, at("sum"))) == GG_EBUSY)
                    usleep(200);
                long n = -1;
                FILE *f = fopen(at("sum"), "r");
                if (s != GG_OK || !f || fscanf(f, "%ld", &n) != 1)
                    _exit(1);
                fclose(f);
                usleep(20);
                f = fopen(at("sum"), "w");
                fprintf(f, "%ld", n + 1);
                fclose(f);
                gg_lock_free(l);
            }
            _exit(0);
        }
    for (int p = 0, code; p < PROCESSES; p++) {
        assert_true(wait(&code) > 0);
        assert_int_equal(code, 0);
    }
    long n = 0;
    FILE *f = fopen(at("sum"), "r");
    assert_int_equal(fscanf(f, "%ld", &n), 1);
    fclose(f);
    assert_int_equal(n, PROCESSES * ROUNDS);
    assert_false(there("sum.lock"));
}

static void what_the_dead_left_is_removed_and_nothing_else(void **state)
{
    (void)state;
    const pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    waitpid(gone, NULL, 0);
    char left[64], lives[64], other[64], longer[64];
    snprintf(left, sizeof left, ".e.nag.%ld-0.tmp", (long)gone);
    snprintf(lives, sizeof lives, ".e.nag.%ld-1.tmp", (long)getpid());
    snprintf(other, sizeof other, ".e.nag.2.%ld-0.tmp", (long)gone); /* of the output "e.nag.2" */
    snprintf(longer, sizeof longer, ".ee.nag.%ld-12.tmp", (long)gone);
    const char *const names[] = {left, lives, other, longer, ".e.nag.1-x.tmp", "e.nag.1-0.tmp", ".e.nag.3.tmp", ".ee.nag.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_text_file(names[i], "x");
    write_text_file(".e.nag.tmp", "x");
    write_text_file(".e.nag.2.tmp", "x");
    const int held = open(at(".e.nag.3.tmp"), O_RDWR);
    assert_int_equal(flock(held, LOCK_EX), 0);
    gg_lock_sweep(ctx, at("e.nag"));
    assert_false(there(left));
    assert_false(there(".e.nag.tmp"));
    assert_false(there(".e.nag.2.tmp"));
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        assert_true(there(names[i]));
    write_text_file(left, "x");
    gg_lock_sweep_folder(ctx, test_folder);
    assert_false(there(left));
    assert_false(there(other));
    assert_false(there(longer));
    assert_true(there(lives));
    assert_false(there(".ee.nag.tmp"));
    assert_true(there(".e.nag.3.tmp"));
    close(held);
    gg_lock_sweep_folder(ctx, test_folder);
    assert_false(there(".e.nag.3.tmp"));
    gg_lock_sweep(ctx, at("nowhere/at/all")); /* no folder: nothing to do */
}

static void without_flock_the_file_is_the_lock(void **state)
{
    (void)state;
    gg_lock *l = NULL, *second = NULL;
    char text[256], host[128] = "";
    gethostname(host, sizeof host - 1);
    no_flock = true;
    assert_int_equal(gg_lock_take(&l, ctx, at("f.nag")), GG_OK);
    assert_int_equal(gg_lock_take(&second, ctx, at("f.nag")), GG_EBUSY);
    expect_message("If that process is gone, remove ");
    expect_message("f.nag.lock.");
    gg_lock_free(l);
    assert_false(there("f.nag.lock"));
    const pid_t pid = start_holder(at("f.nag"));
    assert_int_equal(gg_lock_take(&l, ctx, at("f.nag")), GG_EBUSY);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(gg_lock_take(&l, ctx, at("f.nag")), GG_OK); /* it was on this machine and is gone */
    gg_lock_free(l);
    snprintf(text, sizeof text, "process %ld\nhost not-%s\nsince 2001-01-01T00:00:00Z\n", (long)pid, host);
    write_text_file("f.nag.lock", text); /* of a machine that we cannot ask */
    assert_int_equal(gg_lock_take(&l, ctx, at("f.nag")), GG_EBUSY);
    expect_message(" on not-");
    no_flock = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_is_refused_with_the_holders_id),
        cmocka_unit_test(a_process_does_not_take_its_own_lock_twice),
        cmocka_unit_test(what_the_file_says_does_not_hold_without_the_lock),
        cmocka_unit_test(pipes_need_no_lock_and_missing_folders_are_told),
        cmocka_unit_test(of_many_one_at_a_time),
        cmocka_unit_test(without_flock_the_file_is_the_lock),
        cmocka_unit_test(what_the_dead_left_is_removed_and_nothing_else),
    };
    return cmocka_run_group_tests_name("lock", tests, begin, end_folder);
}
