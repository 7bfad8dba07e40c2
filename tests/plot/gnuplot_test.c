/* Life with gnuplot as a program: it is missing, it fails, it dies, it says too much - and every allocation around it may fail. Programs of that name
 * that misbehave stand in the folder of the test, first on PATH. */
#include "plot/support.h"
#include "plot/gnuplot.h"
#include "plot/plot.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

enum { KINDS = 4 };

/* Any of the plots, small. A letter beyond Latin asks fc-list for fonts. */
static gg_status draw(gg_context *ctx, int kind, const char *path)
{
    static const char *const names[] = {"one", "two", "three", "four \xe2\x88\x91"};
    static const double x[] = {1, 2, 3, 4, 5, 6, 7, 8}, share[] = {0.25, 0.25, 0.25, 0.25};
    static const int32_t label[] = {0, 1, 2, 3, 0, 1, 2, 3};
    switch (kind) {
    case 0: return gg_plot_shares(ctx, path, "shares", names, 4, share, "a", share, "b", "y");
    case 1: return gg_plot_histogram(ctx, path, "histogram", x, label, 8, names, 4, 5, "x", "y");
    case 2: return gg_plot_heat(ctx, path, "heat", x, 2, 4, "x", "y", "z");
    default: return gg_plot_map(ctx, path, "map", x, label, 4, names, 4, "x", "y");
    }
}

/* PATH becomes the folder and what a shell script needs; its gnuplot does what the script says. */
static void gnuplot_is(const char *script)
{
    char text[2048], path[128];
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", script);
    put("gnuplot", text, 0755);
    snprintf(path, sizeof path, "%s:/usr/bin:/bin", test_folder);
    set_path(path);
}

/* The least that passes for a picture. */
static const char DRAWS[] = "if grep -q pngcairo; then printf 'png IEND\\256\\102\\140\\202'\n"
                            "else printf '<svg width=\"20\" height=\"10\" xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0,0\"/></svg>\\n\\n'; fi";

static int usual(void **state)
{
    set_path(NULL);
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s/*", test_folder);
    return drop_context(state) | system(line);
}

static void without_gnuplot_it_is_said_what_to_install(void **state)
{
    gg_context *ctx = *state;
    set_path(test_folder);
    for (int kind = 0; kind < KINDS; kind++) {
        assert_fails(ctx, draw(ctx, kind, at("a")), GG_EUNSUPPORTED, "plots need the program gnuplot, and it is not on PATH: apt-get install gnuplot-nox");
        assert_false(there("a.png") || there("a.svg"));
    }
}

static void a_file_of_that_name_that_cannot_be_run_is_no_gnuplot(void **state)
{
    gg_context *ctx = *state;
    put("gnuplot", "not a program", 0644);
    set_path(test_folder);
    assert_fails(ctx, draw(ctx, 0, at("a")), GG_EUNSUPPORTED, "apt-get install gnuplot-nox");
}

static void a_gnuplot_without_our_terminals_is_named_as_such(void **state)
{
    gg_context *ctx = *state;
    gnuplot_is("echo 'gnuplot> set terminal pngcairo' >&2; echo '                      ^' >&2\n"
               "echo '         line 2: unknown or ambiguous terminal; type just \"set terminal\" for a list' >&2; exit 1");
    assert_fails(ctx, draw(ctx, 0, at("a")), GG_EUNSUPPORTED, "this gnuplot cannot draw PNG or SVG (line 2: unknown or ambiguous terminal");
    assert_false(there("a.png") || there("a.svg"));
}

static void a_failure_is_told_with_the_line_that_matters(void **state)
{
    gg_context *ctx = *state;
    gnuplot_is("echo 'gnuplot> plot nonsense' >&2; echo '              ^' >&2; echo '         line 17: undefined variable: nonsense' >&2; exit 3");
    assert_fails(ctx, draw(ctx, 1, at("a")), GG_EIO, "gnuplot ended with status 3: line 17: undefined variable: nonsense");
    gnuplot_is("exit 4");
    assert_fails(ctx, draw(ctx, 1, at("a")), GG_EIO, "gnuplot ended with status 4: it did not say why");
    gnuplot_is("kill -9 $$");
    assert_fails(ctx, draw(ctx, 1, at("a")), GG_EIO, "gnuplot ended with status 137");
    assert_false(there("a.png") || there("a.svg"));
}

static void half_a_picture_is_not_kept(void **state)
{
    gg_context *ctx = *state;
    put("a.png", "an earlier picture", 0644);
    gnuplot_is("printf 'half a pict'; exit 0");
    assert_fails(ctx, draw(ctx, 2, at("a")), GG_EIO, "a.png (11 bytes)");
    char *png = read_file(NULL, at("a.png"));
    assert_string_equal(png, "an earlier picture");
    free(png);
    gnuplot_is("exit 0");
    assert_fails(ctx, draw(ctx, 2, at("b")), GG_EIO, "no whole picture");
    assert_false(there("b.png") || there("b.svg"));
}

/* It reads nothing and writes more than a pipe holds: neither side may wait for the other. */
static void a_gnuplot_that_does_not_listen_cannot_block_us(void **state)
{
    gg_context *ctx = *state;
    gnuplot_is("exec <&-; head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 2");
    assert_fails(ctx, draw(ctx, 3, at("a")), GG_EIO, "gnuplot ended with status 2");
}

static void a_person_s_own_settings_do_not_count(void **state)
{
    gg_context *ctx = *state;
    if (!have("gnuplot"))
        skip();
    put(".gnuplot", "exit status 5\n", 0644);
    const char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    setenv("HOME", test_folder, 1);
    const gg_status s = draw(ctx, 0, at("a"));
    if (home)
        setenv("HOME", home, 1);
    else
        unsetenv("HOME");
    free((void *)home);
    assert_ok_in(ctx, s);
    char line[128];
    snprintf(line, sizeof line, "rm %s", at(".gnuplot"));
    assert_int_equal(system(line), 0);
}

static void closed_standard_streams_and_blocked_signals_do_no_harm(void **state)
{
    gg_context *ctx = *state;
    gnuplot_is(DRAWS);
    const pid_t child = fork();
    if (child == 0) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        for (int fd = 0; fd < 3; fd++)
            close(fd);
        _exit(draw(ctx, 3, at("a")) == GG_OK ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(there("a.png") && there("a.svg"));
}

static int n_open(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Whatever fails: no leak, no descriptor left open, and a file is whole or not there. */
static void any_allocation_may_fail(void **state)
{
    (void)state;
    gnuplot_is(DRAWS);
    const int descriptors = n_open();
    for (int kind = 0; kind < KINDS; kind++) {
        bool whole = false;
        for (int n = 0; !whole; n++) {
            assert_true(n < 500);
            ration r = {.fail_at = n + 1};
            gg_context *ctx = NULL;
            const gg_status made = gg_context_create(&ctx, &(gg_context_options){.n_threads = 1, .allocator = {rationed, &r}});
            if (made != GG_OK) {
                assert_int_equal(made, GG_ENOMEM);
                continue;
            }
            const gg_status s = draw(ctx, kind, at("a"));
            whole = s == GG_OK && r.n <= n;
            if (s != GG_OK) {
                assert_string_equal(gg_status_name(s), "ENOMEM");
                assert_text_has(gg_message(ctx), "out of memory");
            }
            assert_int_equal(gg_context_bytes(ctx, NULL), 0);
            gg_context_free(ctx);
            assert_int_equal(n_open(), descriptors);
            for (int e = 0; e < 2; e++)
                if (there(e ? "a.svg" : "a.png")) {
                    char *text = read_file(NULL, at(e ? "a.svg" : "a.png"));
                    assert_text_has(text, e ? "</svg>\n" : "png IEND");
                    free(text);
                } else
                    assert_int_not_equal(s, GG_OK);
            char line[128];
            snprintf(line, sizeof line, "cd %s && rm -f a.png a.svg && [ \"$(ls)\" = gnuplot ]", test_folder);
            assert_int_equal(system(line), 0); /* no temporaries either */
        }
    }
    set_path(NULL);
}

static void text_is_quoted_so_that_gnuplot_reads_it_as_text(void **state)
{
    gg_context *ctx = *state;
    static const struct {
        const char *text, *label, *tick;
        double most;
    } table[] = {
        {"", "''", "''", 10},
        {"pool", "'pool'", "'pool'", 10},
        {"100 %", "'100 %'", "'100 %%'", 10},
        {"it's", "'it'.\"'\".'s'", "'it'.\"'\".'s'", 10},
        {"''", "''.\"'\".''.\"'\".''", "''.\"'\".''.\"'\".''", 10},
        {"`id` $x \\n \"", "'`id` $x \\n \"'", "'`id` $x \\n \"'", 10},
        {"a\nb\tc\x01", "'a b c '", "'a b c '", 10},
        {"\xff", "'\xef\xbf\xbd'", "'\xef\xbf\xbd'", 10},
        {"mmmmmmmmmm", "'mmmm\xe2\x80\xa6'", "'mmmm\xe2\x80\xa6'", 5},
        {"iiiiiiiiii", "'iiiiiiiiii'", "'iiiiiiiiii'", 5},
        {"\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5", "'\xe6\x97\xa5\xe6\x97\xa5\xe2\x80\xa6'", "'\xe6\x97\xa5\xe6\x97\xa5\xe2\x80\xa6'", 3},
        {"W", "'\xe2\x80\xa6'", "'\xe2\x80\xa6'", 0.5}, /* not even that fits, but something must be seen */
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_str a = {.ctx = ctx}, b = {.ctx = ctx};
        gg__gnuplot_quote(&a, table[i].text, table[i].most);
        gg__gnuplot_quote_tick(&b, table[i].text, table[i].most);
        assert_string_equal(a.data, table[i].label);
        assert_string_equal(b.data, table[i].tick);
        gg_str_free(&a);
        gg_str_free(&b);
    }
}

static void lines_are_broken_at_spaces_or_where_they_must(void **state)
{
    gg_context *ctx = *state;
    static const struct {
        const char *text, *line[5];
    } table[] = {
        {"short", {"'short'", NULL}},
        {"one two three", {"'one two'", "'three'", NULL}},
        {"nospacesatallhere", {"'nospaces'", "'atallhere'", NULL}},
        {"one  two", {"'one  two'", NULL}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *at = table[i].text;
        int n = 0;
        for (; at; n++) {
            gg_str s = {.ctx = ctx};
            at = gg__gnuplot_quote_line(&s, at, 5.2);
            assert_non_null(table[i].line[n]);
            assert_string_equal(s.data, table[i].line[n]);
            gg_str_free(&s);
        }
        assert_null(table[i].line[n]);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_listener, usual)
    const struct CMUnitTest tests[] = {
        T(without_gnuplot_it_is_said_what_to_install),
        T(a_file_of_that_name_that_cannot_be_run_is_no_gnuplot),
        T(a_gnuplot_without_our_terminals_is_named_as_such),
        T(a_failure_is_told_with_the_line_that_matters),
        T(half_a_picture_is_not_kept),
        T(a_gnuplot_that_does_not_listen_cannot_block_us),
        T(a_person_s_own_settings_do_not_count),
        T(closed_standard_streams_and_blocked_signals_do_no_harm),
        T(any_allocation_may_fail),
        T(text_is_quoted_so_that_gnuplot_reads_it_as_text),
        T(lines_are_broken_at_spaces_or_where_they_must),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
