/* The progress line, as a terminal and as a log file see it. */
#include "base/command.h"
#include "base/memory.h"
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(double seconds)
{
    const struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

/* What a run of 1,234 documents shows; the child of the test. */
static int long_work(void)
{
    char *argv[] = {(char[]){"extract"}, NULL};
    gg_command c = {.name = "nag extract", .sentence = "x"};
    gg_context *ctx = NULL;
    gg_progress *p = NULL;
    if (gg_command_parse(&c, 1, argv) != GG_OK || gg_command_context(&ctx, &c) != GG_OK ||
        gg_command_progress(&p, &c, ctx, "pool.jsonl", "docs", 1234) != GG_OK)
        return 1;
    gg_progress_roof(p, 1e6, "fp32");
    for (int i = 0; i < 8; i++) {
        gg_progress_work(p, 0.96e5); /* in 0.12 s, or more on a busy machine: 80 % of the roof, or less */
        gg_progress_add(p, 100);
        if (i == 6) {
            gg_progress_note(p, "84 % of the roof");
            gg_log(ctx, GG_LOG_WARNING, "document 7 is empty");
        }
        nap(0.12);
    }
    gg_progress_add(p, 434);
    gg_progress_free(p);
    return gg_command_close(&c, ctx, GG_OK);
}

static size_t on_terminal(char *seen, size_t size, int columns)
{
    int fd;
    const struct winsize w = {.ws_row = 24, .ws_col = (unsigned short)columns};
    const pid_t child = forkpty(&fd, NULL, NULL, &w);
    assert_true(child >= 0);
    if (child == 0)
        _exit(long_work());
    size_t n = 0;
    for (ssize_t got; n + 1 < size && ((got = read(fd, seen + n, size - 1 - n)) > 0 || (got < 0 && errno == EINTR));)
        n += got > 0 ? (size_t)got : 0;
    seen[n] = 0;
    close(fd);
    int state = 0;
    waitpid(child, &state, 0);
    assert_int_equal(state, 0);
    return n;
}

static void in_log_file(char *seen, size_t size, int (*work)(void))
{
    FILE *f = tmpfile();
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(fileno(f), STDERR_FILENO);
        _exit(work());
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    rewind(f);
    seen[fread(seen, 1, size - 1, f)] = 0;
    fclose(f);
}

static void a_terminal_has_one_line_rewritten_and_cleared(void **state)
{
    (void)state;
    static char seen[1 << 16];
    on_terminal(seen, sizeof seen, 200);
    const char *in_order[] = {"\rnag extract  pool.jsonl  [", " %   ", " of 1,234 docs", "800 of 1,234 docs   ", " docs/s   ", " s left   ",
                              " % of this machine's fp32 roof   84 % of the roof", "100 %   1,234 of 1,234 docs", "\r\033[K"};
    const char *at = seen;
    for (size_t i = 0; i < sizeof in_order / sizeof *in_order; i++) {
        const char *found = strstr(at, in_order[i]);
        if (!found)
            fail_msg("\"%s\" is not in its place in:\n%s", in_order[i], seen);
        at = found;
    }
    assert_string_equal(at + strlen("\r\033[K"), "");
    /* the warning stands on a line of its own: the progress line is cleared before and drawn again after */
    const char *warning = strstr(seen, "\r\033[Kgolgi: nag extract: warning: document 7 is empty\r\n\rnag extract");
    assert_non_null(warning);
    int lines = 0;
    for (const char *p = seen; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 1);
}

/* The part of the roof that the line shows is work over time over roof. */
static void the_part_of_the_roof_is_shown(void **state)
{
    (void)state;
    static char seen[1 << 16];
    on_terminal(seen, sizeof seen, 200);
    int shown = 0;
    for (const char *p = seen; (p = strstr(p, " % of this machine's fp32 roof")); p++) {
        const char *from = p;
        while (from > seen && from[-1] >= '0' && from[-1] <= '9')
            from--;
        const int percent = atoi(from);
        assert_true(percent >= 1 && percent <= 100); /* the first step's work counts before its time: at most 8 / 7 of 80 */
        shown++;
    }
    assert_true(shown > 0);
}

/* What an earlier run did is counted, and is no part of the speed. */
static int resumed_work(void)
{
    char *argv[] = {(char[]){"extract"}, (char[]){"--log-json"}, NULL};
    gg_command c = {.name = "nag extract", .sentence = "x"};
    gg_context *ctx = NULL;
    gg_progress *p = NULL;
    if (gg_command_parse(&c, 2, argv) != GG_OK || gg_command_context(&ctx, &c) != GG_OK ||
        gg_command_progress(&p, &c, ctx, "pool.jsonl", "docs", 2000000) != GG_OK)
        return 1;
    gg_progress_before(p, 1000000);
    nap(0.1);
    gg_progress_add(p, 100);
    gg_progress_free(p);
    return gg_command_close(&c, ctx, GG_OK);
}

static void what_was_done_before_is_not_speed(void **state)
{
    (void)state;
    char seen[4096];
    in_log_file(seen, sizeof seen, resumed_work);
    assert_non_null(strstr(seen, "\"done\":1000100,"));
    const char *rate = strstr(seen, "\"per_second\":");
    assert_non_null(rate);
    assert_true(atof(rate + 13) > 0 && atof(rate + 13) <= 1000); /* 100 in at least a tenth of a second */
    const char *left = strstr(seen, "\"seconds_left\":");
    assert_non_null(left);
    assert_true(atof(left + 15) > 999);
}

/* 80 columns are what a terminal has that nobody made wider: the rate, the time left and the part of the roof are there. */
static void a_usual_terminal_has_all_the_numbers(void **state)
{
    (void)state;
    static char seen[1 << 16];
    static const int columns[] = {80, 66};
    for (int i = 0; i < 2; i++) {
        on_terminal(seen, sizeof seen, columns[i]);
        int n_whole = 0;
        for (char *rest, *line = strtok_r(seen, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
            char *end = strstr(line, "\033[K");
            if (!end || strncmp(line, "nag ", 4) != 0)
                continue;
            *end = 0;
            assert_true(strlen(line) < (size_t)columns[i]);
            const char *at = line;
            static const char *const in_order[] = {" of 1,234 docs  ", " docs/s  ", " s left  ", " % of fp32 roof"};
            for (size_t k = 0; at && k < sizeof in_order / sizeof *in_order; k++)
                at = strstr(at, in_order[k]);
            n_whole += at != NULL;
        }
        if (n_whole < 2)
            fail_msg("at %d columns the numbers are not all there", columns[i]);
    }
}

static void a_narrow_terminal_gets_a_cut_line(void **state)
{
    (void)state;
    static char seen[1 << 16];
    on_terminal(seen, sizeof seen, 45);
    int column = 0;
    for (const char *p = seen; *p; p++) {
        if (*p == '\033') {
            p += 2;
            continue;
        }
        column = *p == '\r' ? 0 : column + 1;
        if (strncmp(p, "golgi:", 6) == 0) { /* a warning may be as long as it is */
            p = strchr(p, '\n');
            continue;
        }
        assert_true(column <= 44);
    }
}

static void a_log_file_has_no_line_before_ten_seconds(void **state)
{
    (void)state;
    char seen[4096];
    in_log_file(seen, sizeof seen, long_work);
    assert_string_equal(seen, "golgi: nag extract: warning: document 7 is empty\n");
}

static void no_progress_is_fine_everywhere(void **state)
{
    (void)state;
    gg_progress_add(NULL, 1);
    gg_progress_note(NULL, "x");
    gg_progress_work(NULL, 1);
    gg_progress_roof(NULL, 1, "x");
    gg_progress_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_has_one_line_rewritten_and_cleared), cmocka_unit_test(the_part_of_the_roof_is_shown),
        cmocka_unit_test(what_was_done_before_is_not_speed),
        cmocka_unit_test(a_usual_terminal_has_all_the_numbers), cmocka_unit_test(a_narrow_terminal_gets_a_cut_line),
        cmocka_unit_test(a_log_file_has_no_line_before_ten_seconds), cmocka_unit_test(no_progress_is_fine_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
