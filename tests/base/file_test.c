/* Files appear whole or not at all, and say what is wrong. */
#include "context.h"
#include "ration.h"
#include "base/file.h"
#include "base/input.h"
#include "base/io.h"
#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *path; /* the last that was asked for */
static const char *in(const char *name) { return path = at("%s", name); }

static int begin(void **state)
{
    (void)state;
    return begin_folder("file", 0);
}

static int entries(void)
{
    DIR *d = opendir(test_folder);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.' || e->d_name[1] > '.';
    closedir(d);
    return n;
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    const size_t n = 1000003;
    uint8_t *data = gg_alloc(ctx, n);
    for (size_t i = 0; i < n; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    gg_out *o = NULL;
    assert_int_equal(gg_out_open(&o, ctx, in("a.bin")), GG_OK);
    for (size_t at = 0, step = 1; at < n; step = step * 3 + 1) {
        const size_t take = step < n - at ? step : n - at;
        assert_int_equal(gg_out_write(o, data + at, take), GG_OK);
        at += take;
        assert_int_equal(gg_out_tell(o), at);
    }
    assert_int_equal(gg_out_patch(o, 999990, "golgi", 5), GG_OK);
    assert_int_equal(gg_out_patch(o, n - 1, "xy", 2), GG_EINVAL);
    memcpy(data + 999990, "golgi", 5);
    assert_false(gg_file_exists(path));
    assert_true(gg_file_exists(gg_out_temporary(o)));
    assert_int_equal(gg_out_commit(o), GG_OK);
    assert_int_equal(entries(), 1);
    gg_map m;
    assert_int_equal(gg_map_open(&m, ctx, path), GG_OK);
    assert_int_equal(m.size, n);
    assert_memory_equal(m.data, data, n);
    gg_map_close(&m);
    gg_drop(ctx, data);
    unlink(path);
}

static void a_discarded_file_leaves_nothing_and_the_old_one(void **state)
{
    (void)state;
    assert_int_equal(gg_file_write(ctx, in("b"), "old", 3), GG_OK);
    gg_out *o = NULL;
    assert_int_equal(gg_out_open(&o, ctx, path), GG_OK);
    gg_out_write(o, "new", 3);
    gg_out_flush(o);
    assert_int_equal(entries(), 2);
    gg_out_discard(o);
    gg_out_discard(NULL);
    assert_int_equal(entries(), 1);
    char *text = NULL;
    size_t n = 0;
    assert_int_equal(gg_file_read(&text, &n, ctx, path), GG_OK);
    assert_string_equal(text, "old");
    assert_int_equal(n, 3);
    gg_drop(ctx, text);
    unlink(path);
}

/* A child opens the file, writes, and is killed: what it leaves is taken over; what is held is not. */
static void a_name_may_be_given_at_the_end(void **state)
{
    (void)state;
    gg_out *o = NULL;
    char *text = NULL, first[256];
    size_t n = 0;
    snprintf(first, sizeof first, "%s", in("begun"));
    assert_int_equal(gg_out_open(&o, ctx, first), GG_OK);
    assert_int_equal(gg_out_write(o, "abc", 3), GG_OK);
    assert_int_equal(gg_out_becomes(o, in("named")), GG_OK);
    assert_int_equal(gg_out_commit(o), GG_OK);
    assert_false(gg_file_exists(first));
    assert_int_equal(gg_file_read(&text, &n, ctx, in("named")), GG_OK);
    assert_int_equal(n, 3);
    gg_drop(ctx, text);
    assert_int_equal(gg_file_remove(ctx, in("named")), GG_OK);
    assert_int_equal(entries(), 0);
}

static void the_temporary_of_the_dead_is_taken_over(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        in("k");
        const pid_t child = fork();
        if (child == 0) {
            gg_out *o = NULL;
            if (gg_out_open(&o, ctx, path) == GG_OK && gg_out_write(o, "half of what was", 16) == GG_OK && gg_out_flush(o) == GG_OK)
                raise(SIGKILL);
            _exit(1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(entries(), 1);
    }
    gg_out *a = NULL, *b = NULL;
    assert_int_equal(gg_out_open(&a, ctx, path), GG_OK);
    assert_int_equal(entries(), 1);
    assert_int_equal(gg_out_open(&b, ctx, path), GG_OK);
    assert_int_equal(entries(), 2);
    assert_string_not_equal(gg_out_temporary(a), gg_out_temporary(b));
    assert_int_equal(gg_out_write(a, "a", 1), GG_OK);
    assert_int_equal(gg_out_write(b, "bb", 2), GG_OK);
    assert_int_equal(gg_out_commit(b), GG_OK);
    assert_int_equal(gg_out_commit(a), GG_OK);
    assert_int_equal(entries(), 1);
    char *text = NULL;
    assert_int_equal(gg_file_read(&text, NULL, ctx, path), GG_OK);
    assert_string_equal(text, "a");
    gg_drop(ctx, text);
    unlink(path);
}

/* In a folder that others write to, a link or a folder in the place of the temporary is neither followed nor a reason to give up. */
static void a_trap_in_the_place_of_the_temporary_is_stepped_round(void **state)
{
    (void)state;
    char trap[300], victim[300];
    snprintf(trap, sizeof trap, "%s/.t.tmp", test_folder);
    snprintf(victim, sizeof victim, "%s/victim", test_folder);
    assert_int_equal(gg_file_write(ctx, victim, "untouched", 9), GG_OK);
    for (int kind = 0; kind < 3; kind++) {
        assert_int_equal(kind == 0 ? symlink(victim, trap) : kind == 1 ? link(victim, trap) : mkdir(trap, 0700), 0);
        assert_int_equal(gg_file_write(ctx, in("t"), "new", 3), GG_OK);
        char *text = NULL;
        assert_int_equal(gg_file_read(&text, NULL, ctx, victim), GG_OK);
        assert_string_equal(text, "untouched");
        gg_drop(ctx, text);
        assert_int_equal(remove(trap), 0);
    }
    unlink(path);
    unlink(victim);
    assert_int_equal(entries(), 0);
}

/* --- the n-th call fails ------------------------------------------------------------------------------------------------ */

typedef struct plan { /* what befalls call number `at` */
    int n, at, error;
    gg_io_call call;  /* that it was */
} plan;

static int befall(void *user, gg_io_call call, size_t *n)
{
    plan *p = user;
    if (p->n++ != p->at)
        return 0;
    p->call = call;
    if (p->error == 0 && *n > 1)
        *n = *n / 2; /* a short count */
    return p->error;
}

static gg_status write_then_read(const char *name, char *back)
{
    gg_out *o = NULL;
    GG_TRY(gg_file_mkdirs(ctx, in("deep/er")));
    GG_TRY(gg_out_open(&o, ctx, name));
    gg_status s = gg_out_printf(o, "%0*d", 300000, 1);
    s = s == GG_OK ? gg_out_patch(o, 5, "x", 1) : s;
    if (s != GG_OK) {
        gg_out_discard(o);
        return s;
    }
    GG_TRY(gg_out_commit(o));
    gg_in *r = NULL;
    GG_TRY(gg_in_open(&r, ctx, name));
    size_t got = 1;
    for (size_t n = 0; s == GG_OK && got > 0; n += got)
        s = gg_in_read(r, &got, back + n, 300001 - n);
    gg_in_close(r);
    gg_map m;
    s = s == GG_OK ? gg_map_open(&m, ctx, name) : s;
    if (s == GG_OK) {
        s = m.size == 300000 && memcmp(m.data, back, m.size) == 0 ? GG_OK : GG_EINTERNAL;
        gg_map_close(&m);
    }
    return s;
}

static void any_call_may_fail_or_be_interrupted(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EIO, EINTR, 0};
    static char back[300002];
    char name[256];
    snprintf(name, sizeof name, "%s/deep/er/file", test_folder);
    for (size_t e = 0; e < 4; e++)
        for (int at = 0;; at++) {
            plan p = {.at = at, .error = errors[e], .call = GG_IO_CALLS};
            gg__io_set(ctx, (gg_io_hook){befall, &p});
            memset(back, 0, sizeof back);
            const gg_status s = write_then_read(name, back);
            gg__io_set(ctx, (gg_io_hook){NULL, NULL});
            const bool there = gg_file_exists(name);
            char command[400];
            snprintf(command, sizeof command, "test -z \"$(ls -A %s/deep/er 2>/dev/null | grep -v '^file$')\"", test_folder);
            assert_int_equal(system(command), 0); /* no temporary is left */
            unlink(name);
            const bool again = p.call == GG_IO_OPEN || p.call == GG_IO_READ || p.call == GG_IO_WRITE || p.call == GG_IO_SYNC || p.call == GG_IO_CLOSE;
            const bool was_there = p.call == GG_IO_FOLDER && s == GG_OK; /* /tmp cannot be made, and need not be */
            if (p.call == GG_IO_CALLS || errors[e] == 0 || (errors[e] == EINTR && again) || was_there) {
                assert_int_equal(s, GG_OK);
                assert_true(there && strlen(back) == 300000 && back[5] == 'x' && back[299999] == '1');
            } else {
                assert_int_equal(s, GG_EIO);
                assert_non_null(strstr(gg_message(ctx), "deep"));
                assert_non_null(strstr(gg_message(ctx), strerror(errors[e])));
            }
            if (p.call == GG_IO_CALLS) {
                assert_true(at > 12);
                break;
            }
        }
    remove(in("deep/er"));
    remove(in("deep"));
}

static void printf_handles_short_and_huge_texts(void **state)
{
    (void)state;
    gg_out *o = NULL;
    assert_int_equal(gg_out_open(&o, ctx, in("p")), GG_OK);
    for (int i = 0; i < 60000; i++)
        assert_int_equal(gg_out_printf(o, "%07d\n", i), GG_OK);
    assert_int_equal(gg_out_printf(o, "%0*d", 400000, 5), GG_OK);
    assert_int_equal(gg_out_commit(o), GG_OK);
    char *text = NULL;
    size_t n = 0;
    assert_int_equal(gg_file_read(&text, &n, ctx, path), GG_OK);
    assert_int_equal(n, 480000 + 400000);
    for (int i = 0; i < 60000; i++)
        assert_int_equal(atoi(text + 8 * i), i);
    assert_int_equal(text[n - 1], '5');
    gg_drop(ctx, text);
    unlink(path);
}

static void a_link_stays_and_its_file_is_replaced(void **state)
{
    (void)state;
    char link[256];
    snprintf(link, sizeof link, "%s/link", test_folder);
    assert_int_equal(gg_file_write(ctx, in("real"), "1", 1), GG_OK);
    assert_int_equal(symlink("real", link), 0);
    assert_int_equal(gg_file_write(ctx, link, "22", 2), GG_OK);
    struct stat st;
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 2);
    unlink(link);
    unlink(path);
}

static void failures_name_the_file_and_the_way_out(void **state)
{
    (void)state;
    gg_map m;
    char *text;
    gg_out *o = NULL;
    assert_int_equal(gg_map_open(&m, ctx, in("absent")), GG_ENOENT);
    assert_non_null(strstr(gg_message(ctx), path));
    assert_non_null(strstr(gg_message(ctx), "check the name"));
    assert_int_equal(gg_file_read(&text, NULL, ctx, in("no/such")), GG_ENOENT);
    assert_non_null(strstr(gg_message(ctx), "there is no folder"));
    assert_int_equal(gg_map_open(&m, ctx, test_folder), GG_EIO);
    assert_non_null(strstr(gg_message(ctx), "not a folder"));
    assert_int_equal(gg_out_open(&o, ctx, test_folder), GG_EIO);
    assert_int_equal(gg_out_open(&o, ctx, in("no/such")), GG_ENOENT);
    assert_int_equal(gg_out_open(&o, ctx, ""), GG_EINVAL);
    assert_int_equal(gg_file_write(ctx, "/dev/full", "x", 1), GG_EIO);
    assert_non_null(strstr(gg_message(ctx), "/dev/full"));
    assert_non_null(strstr(gg_message(ctx), "Free some space"));
    assert_int_equal(entries(), 0);
}

static void devices_and_pipes_are_written_and_read_as_they_come(void **state)
{
    (void)state;
    gg_out *o = NULL;
    assert_int_equal(gg_out_open(&o, ctx, "/dev/null"), GG_OK);
    assert_null(gg_out_temporary(o));
    assert_int_equal(gg_out_write(o, "x", 1), GG_OK);
    assert_int_equal(gg_out_patch(o, 0, "y", 1), GG_EUNSUPPORTED);
    assert_int_equal(gg_out_commit(o), GG_OK);
    gg_map m;
    assert_int_equal(gg_map_open(&m, ctx, "/dev/null"), GG_OK);
    assert_null(m.data);
    gg_map_close(&m);
    FILE *p = popen("head -c 3000000 /dev/zero", "r");
    char name[32];
    snprintf(name, sizeof name, "/dev/fd/%d", fileno(p));
    assert_int_equal(gg_map_open(&m, ctx, name), GG_OK);
    assert_int_equal(m.size, 3000000);
    gg_map_close(&m);
    pclose(p);
    assert_int_equal(gg_file_write(ctx, in("empty"), NULL, 0), GG_OK);
    assert_int_equal(gg_map_open(&m, ctx, path), GG_OK);
    assert_true(m.data == NULL && m.size == 0);
    unlink(path);
}

static void folders_are_made_with_their_parents(void **state)
{
    (void)state;
    assert_int_equal(gg_file_mkdirs(ctx, in("x//y/z/")), GG_OK);
    assert_true(gg_file_is_folder(in("x/y/z")));
    assert_int_equal(gg_file_mkdirs(ctx, in("x/y")), GG_OK);
    assert_int_equal(gg_file_write(ctx, in("x/file"), "", 0), GG_OK);
    assert_false(gg_file_is_folder(path));
    assert_int_equal(gg_file_mkdirs(ctx, in("x/file/deeper")), GG_EIO);
    assert_non_null(strstr(gg_message(ctx), "x/file is a file"));
    assert_int_equal(gg_file_mkdirs(ctx, "."), GG_OK);
    assert_int_equal(gg_file_mkdirs(ctx, "/"), GG_OK);
}

/* FIPS 180-2, B.1 and B.3. */
static void sha256_gives_the_published_digests(void **state)
{
    (void)state;
    gg_hash *h = NULL;
    char hex[65];
    assert_int_equal(gg_hash_create(&h, ctx), GG_OK);
    gg_hash_add(h, "a", 1);
    gg_hash_add(h, "bc", 2);
    gg_hash_finish(h, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(gg_hash_create(&h, ctx), GG_OK);
    for (int i = 0; i < 1000; i++) {
        char a[1000];
        memset(a, 'a', sizeof a);
        gg_hash_add(h, a, sizeof a);
    }
    gg_hash_finish(h, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static gg_status write_and_read(gg_context *c)
{
    gg_out *o = NULL;
    GG_TRY(gg_file_mkdirs(c, in("deep/er")));
    GG_TRY(gg_out_open(&o, c, in("deep/er/file")));
    gg_status s = gg_out_printf(o, "%0*d", 300000, 1);
    if (s != GG_OK) {
        gg_out_discard(o);
        return s;
    }
    GG_TRY(gg_out_commit(o));
    char *text = NULL;
    GG_TRY(gg_file_read(&text, NULL, c, path));
    gg_drop(c, text);
    gg_hash *h = NULL;
    GG_TRY(gg_hash_create(&h, c));
    char hex[65];
    gg_hash_finish(h, hex);
    return gg_file_read(&text, NULL, c, in("absent")) == GG_ENOENT ? GG_OK : GG_ENOMEM;
}

static void any_allocation_may_fail_and_nothing_is_left(void **state)
{
    (void)state;
    gg_status s = GG_ENOMEM;
    int n = 1;
    for (; s != GG_OK; n++) {
        assert_true(n < 100);
        ration r = {.fail_at = n + 1};
        gg_context *c = NULL;
        assert_int_equal(gg_context_create(&c, &(gg_context_options){.allocator = {rationed, &r}}), GG_OK);
        s = write_and_read(c);
        if (s != GG_OK) {
            assert_int_equal(s, GG_ENOMEM);
            assert_non_null(strstr(gg_message(c), "out of memory"));
        }
        assert_int_equal(gg_context_bytes(c, NULL), 0);
        gg_context_free(c);
        char command[300];
        snprintf(command, sizeof command, "ls -A %s/deep/er 2>/dev/null | grep -v '^file$'", test_folder);
        assert_int_not_equal(system(command), 0); /* no temporary is left */
        unlink(in("deep/er/file"));
    }
    assert_true(n > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back), cmocka_unit_test(a_discarded_file_leaves_nothing_and_the_old_one),
        cmocka_unit_test(a_name_may_be_given_at_the_end),
        cmocka_unit_test(the_temporary_of_the_dead_is_taken_over),
        cmocka_unit_test(a_trap_in_the_place_of_the_temporary_is_stepped_round), cmocka_unit_test(any_call_may_fail_or_be_interrupted),
        cmocka_unit_test(printf_handles_short_and_huge_texts), cmocka_unit_test(a_link_stays_and_its_file_is_replaced),
        cmocka_unit_test(failures_name_the_file_and_the_way_out), cmocka_unit_test(devices_and_pipes_are_written_and_read_as_they_come),
        cmocka_unit_test(folders_are_made_with_their_parents), cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(any_allocation_may_fail_and_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, begin, end_folder);
}
