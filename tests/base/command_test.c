/* What a person types, and what he is told. */
#include "base/command.h"
#include "base/memory.h"
#include "base/work.h"
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The clock stands still until a test moves it: --wrap=gg_time in the Makefile. */
double __wrap_gg_time(void);
static double now = 1000;
double __wrap_gg_time(void) { return now; }

/* Standard output and error of the code in between. */
static int saved[2];
static FILE *caught[2];
static char said[2][1 << 16];

static void catch_begin(void)
{
    for (int i = 0; i < 2; i++) {
        fflush(i ? stderr : stdout);
        saved[i] = dup(i + 1);
        caught[i] = tmpfile();
        dup2(fileno(caught[i]), i + 1);
    }
}

static void catch_end(void)
{
    for (int i = 0; i < 2; i++) {
        fflush(i ? stderr : stdout);
        dup2(saved[i], i + 1);
        close(saved[i]);
        rewind(caught[i]);
        said[i][fread(said[i], 1, sizeof said[i] - 1, caught[i])] = 0;
        fclose(caught[i]);
    }
}

static const char *model, *dtype, *output;
static gg_texts input, files;
static int64_t top_k;
static double fraction;
static bool all;
static gg_command c;

static const gg_option options[] = {
    {"Input", "model", GG_OPT_TEXT, &model, "M", "the model, a GGUF file", NULL, true, 0, 0},
    {NULL, "input", GG_OPT_TEXTS, &input, "FILE", "documents", NULL, false, 0, 0},
    {NULL, NULL, GG_OPT_TEXTS, &files, "F...", "features", NULL, false, 0, 0},
    {"Method", "top-k", GG_OPT_INT, &top_k, "K", "neurons kept in each layer (K)", NULL, false, 1, 65535},
    {NULL, "fraction", GG_OPT_DOUBLE, &fraction, "X", "part of the pool's tokens that is chosen", NULL, false, 0, 1},
    {NULL, "all", GG_OPT_FLAG, &all, NULL, "write every document", NULL, false, 0, 0},
    {"Machine", "dtype", GG_OPT_CHOICE, &dtype, NULL, "numbers used", "f32|bf16|auto", false, 0, 0},
    {"Output", "output", GG_OPT_TEXT, &output, "OUT", "where to", NULL, false, 0, 0},
};

/* The words of a line, NULL behind them; they live until the next call. */
static int split(char ***words, const char *line)
{
    static char copy[1024];
    static char *argv[64];
    snprintf(copy, sizeof copy, "%s", line);
    int argc = 0;
    char *rest = NULL;
    for (char *p = strtok_r(copy, " ", &rest); p; p = strtok_r(NULL, " ", &rest))
        argv[argc++] = p;
    argv[argc] = NULL;
    *words = argv;
    return argc;
}

static gg_status parse(const char *line)
{
    char **argv;
    const int argc = split(&argv, line);
    model = output = NULL;
    dtype = "auto";
    input = files = (gg_texts){0, NULL};
    top_k = 10;
    fraction = 0.2;
    all = false;
    c = (gg_command){.name = "nag rank", .sentence = "Ranks a pool by its distance to a target.", .example = "golgi nag rank --model M",
                     .options = options, .n_options = sizeof options / sizeof *options};
    catch_begin();
    const gg_status s = gg_command_parse(&c, argc, argv);
    catch_end();
    return s;
}

static void close_command(void)
{
    assert_int_equal(gg_command_close(&c, NULL, GG_OK), 0);
}

static void every_type_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse("rank a.nag --model m.gguf --input x y --top-k 20 b.nag --fraction=0.5 --all --dtype bf16 --threads 3 --seed 7 "
                           "--input z --output - --json"),
                     GG_OK);
    assert_string_equal(model, "m.gguf");
    assert_int_equal(input.n, 3);
    assert_string_equal(input.at[0], "x");
    assert_string_equal(input.at[2], "z");
    assert_int_equal(files.n, 2);
    assert_string_equal(files.at[1], "b.nag");
    assert_int_equal(top_k, 20);
    assert_true(fraction == 0.5);
    assert_true(all && c.json && !c.quiet);
    assert_string_equal(dtype, "bf16");
    assert_string_equal(output, "-");
    assert_int_equal(c.threads, 3);
    assert_int_equal(c.seed, 7);
    close_command();
    assert_int_equal(input.n, 0);
}

static void defaults_stay_and_dashes_end_the_options(void **state)
{
    (void)state;
    assert_int_equal(parse("rank --mod m --input a -- --strange b"), GG_OK);
    assert_string_equal(model, "m");
    assert_int_equal(top_k, 10);
    assert_string_equal(dtype, "auto");
    assert_int_equal(input.n, 1);
    assert_int_equal(files.n, 2);
    assert_string_equal(files.at[0], "--strange");
    close_command();
}

static void many_words_are_kept(void **state)
{
    (void)state;
    char line[1024] = "rank --model m --input";
    for (int i = 0; i < 40; i++)
        snprintf(line + strlen(line), 16, " f%d", i);
    assert_int_equal(parse(line), GG_OK);
    assert_int_equal(input.n, 40);
    assert_string_equal(input.at[39], "f39");
    close_command();
}

static void a_mistake_is_named_and_the_nearest_word_offered(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } table[] = {
        {"rank --modle m", "golgi: nag rank: there is no option \"--modle\". Did you mean --model?\n"},
        {"rank --model m --zzzzz", "there is no option \"--zzzzz\". See: golgi help nag rank"},
        {"rank --model m -k 5", "there is no option \"-k\""},
        {"rank --model m -xyz 5", "there is no option \"-xyz\""},
        {"rank --model m --helpp", "Did you mean --help?"},
        {"rank --model", "--model needs a value: M"},
        {"rank --model --input x", "--model needs a value, and --input follows"},
        {"rank --model m --all=yes", "--all takes no value"},
        {"rank --model m --top-k ten", "--top-k ten: a whole number is expected"},
        {"rank --model m --top-k 10x", "--top-k 10x: a whole number is expected"},
        {"rank --model m --top-k 0", "--top-k 0: must be from 1 to 65535"},
        {"rank --model m --seed 99999999999999999999", "the number is too large"},
        {"rank --model m --fraction 1.5", "--fraction 1.5: must be from 0 to 1"},
        {"rank --model m --fraction nan", "--fraction nan: a number is expected"},
        {"rank --model m --dtype b16", "--dtype b16: not one of f32|bf16|auto. Did you mean bf16?"},
        {"rank --model m --dtype f64000", "not one of f32|bf16|auto\n"},
        {"rank --all", "missing: --model M. See: golgi help nag rank"},
        {"rank --model m --s 3 --o x --threads -1", "--threads -1: must be from 0 to 4096"},
        {"rank --model m --in", "--input needs a value: FILE"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(parse(table[i].line), GG_EINVAL);
        if (!strstr(said[1], table[i].message))
            fail_msg("%s\n said: %s expected: %s", table[i].line, said[1], table[i].message);
        assert_string_equal(said[0], "");
        assert_null(strchr(strchr(said[1], '\n') + 1, '\n'));
    }
}

static void help_has_sentence_example_groups_and_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse("rank --help"), GG_END);
    const char *h = said[0];
    assert_memory_equal(h, "Ranks a pool", 12);
    const char *order[] = {"golgi nag rank --model M", "\nInput\n", "--model M", "(required)", "--input FILE...", "\n  F... ", "\nMethod\n",
                           "--top-k K", "[10]", "--fraction X", "[0.2]", "\nMachine\n", "--dtype f32|bf16|auto", "[auto]", "--threads N",
                           "--quiet", "\nOutput\n", "--output OUT"};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const char *found = strstr(h, order[i]);
        if (!found)
            fail_msg("\"%s\" is not in its place in:\n%s", order[i], said[0]);
        h = found;
    }
    assert_null(strstr(said[0], " \n")); /* no blanks at the end of a line */
    char *whole = strdup(said[0]);
    assert_int_equal(parse("rank -h"), GG_END);
    assert_string_equal(said[0], whole);
    free(whole);
    assert_int_equal(parse("rank"), GG_EINVAL);
    assert_non_null(strstr(said[1], "golgi help nag rank"));
    assert_null(strstr(said[1], "--top-k"));
}

/* What parse() says on standard output for a line, and nothing else anywhere. */
static const char *answer(const char *line)
{
    assert_int_equal(parse(line), GG_END);
    assert_string_equal(said[1], "");
    return said[0];
}

static void a_manual_page_is_made_of_the_same_table(void **state)
{
    (void)state;
    const char *h = answer("rank --help-man");
    const char *order[] = {".TH GOLGI-NAG-RANK 1 \"", "\"golgi 0.1.0\" \"golgi manual\"",
                           ".SH NAME\ngolgi\\-nag\\-rank \\- ranks a pool by its distance to a target\n",
                           ".SH SYNOPSIS\n.B golgi nag rank\n\\fB\\-\\-model\\fR \\fIM\\fR\n[\\fIoptions\\fR]",
                           ".SH DESCRIPTION\nRanks a pool by its distance to a target.\n",
                           ".SS Input\n.TP\n\\fB\\-\\-model\\fR \\fIM\\fR\nthe model, a GGUF file (required)\n",
                           "\\fB\\-\\-input\\fR \\fIFILE\\fR...", "\n\\fIF...\\fR\n", ".SS Method", "neurons kept in each layer (K) [10]",
                           "part of the pool\\(aqs tokens that is chosen [0.2]", "\\fB\\-\\-all\\fR\nwrite every document", ".SS Machine",
                           "\\fIf32|bf16|auto\\fR\nnumbers used [auto]", "\\-\\-threads", ".SS Output",
                           ".SH EXAMPLES\n.EX\ngolgi nag rank \\-\\-model M\n.EE",
                           ".SH EXIT STATUS", ".SH SEE ALSO\n.BR golgi (1),\n.BR golgi\\-nag (1)\n"};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const char *found = strstr(h, order[i]);
        if (!found)
            fail_msg("\"%s\" is not in its place in:\n%s", order[i], said[0]);
        h = found;
    }
    assert_string_equal(answer("rank --help-verbs"), "nag rank\n");
}

static void the_words_that_may_follow_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } table[] = {
        {"rank --help-words --mo", "--model\tthe model, a GGUF file\n"},
        {"rank --help-words --model x --mo", ""},                           /* once is enough */
        {"rank --help-words --input x --inp", "--input\tdocuments\n"},      /* this one takes more */
        {"rank --help-words --model f", ":files\n"},
        {"rank --help-words --input a b c", ":files\n"},
        {"rank --help-words --top-k 1", ""},
        {"rank --help-words --dtype b", "bf16\n"},
        {"rank --help-words --dtype q", ""},
        {"rank --help-words --all x", ":files\n"},                          /* words of their own */
        {"rank --help-words --model=m x", ":files\n"},
        {"rank --help-words -- --mo", ""},
        {"rank --help-words --he", "--help\twhat it does, with its options\n"},
        {"rank --help-words --nonsense --al", "--all\twrite every document\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(answer(table[i].line), table[i].words);
    assert_non_null(strstr(answer("rank --help-words -"), "--fraction\tpart of the pool's tokens that is chosen\n"));
}

static int called, called_argc;
static char called_with[256];
static int verb_main(int argc, char **argv)
{
    called++;
    called_argc = argc;
    called_with[0] = 0;
    for (int i = 0; i < argc; i++)
        snprintf(called_with + strlen(called_with), 64, "%s ", argv[i]);
    return 7;
}

static int verbs(const char *prefix, const char *line)
{
    static const gg_verb table[] = {{"extract", "reads", verb_main}, {"rank", "sorts", verb_main}, {"version", "says which", verb_main}};
    char **argv;
    const int argc = split(&argv, line);
    called = 0;
    catch_begin();
    const int r = gg_verbs_run(prefix, "Head.", table, 3, argc, argv);
    catch_end();
    return r;
}

static void verbs_are_found_explained_and_suggested(void **state)
{
    (void)state;
    assert_int_equal(verbs("nag", "nag rank --x y"), 7);
    assert_string_equal(called_with, "rank --x y ");
    assert_int_equal(verbs("nag", "nag"), 2);
    assert_non_null(strstr(said[1], "Head."));
    assert_non_null(strstr(said[1], "extract"));
    assert_int_equal(verbs("nag", "nag --help"), 0);
    assert_non_null(strstr(said[0], "golgi help nag VERB"));
    assert_int_equal(verbs("", "golgi help rank deep"), 7);
    assert_string_equal(called_with, "rank deep --help ");
    assert_int_equal(verbs("", "golgi --version"), 7);
    assert_int_equal(verbs("nag", "nag rnak"), 2);
    assert_string_equal(said[1], "golgi: nag: there is no verb \"rnak\". Did you mean \"rank\"?\n");
    assert_int_equal(verbs("", "golgi help --man rank"), 7);
    assert_string_equal(called_with, "rank --help-man ");
    assert_int_equal(verbs("", "golgi help --words rank --x y"), 7);
    assert_string_equal(called_with, "rank --help-words --x y ");
    assert_int_equal(verbs("", "golgi help --words help ra"), 0);
    assert_string_equal(said[0], "rank\tsorts\n");
    assert_int_equal(verbs("nag", "nag --help-words e"), 0);
    assert_string_equal(said[0], "extract\treads\n");
    assert_int_equal(verbs("", "golgi help --words h"), 0);
    assert_string_equal(said[0], "help\twhat a verb does, with its options\n");
    assert_int_equal(verbs("nag", "nag --help-verbs"), 0);
    assert_memory_equal(said[0], "nag\n", 4);
    assert_int_equal(called, 3);
    assert_string_equal(called_with, "version --help-verbs ");
    assert_int_equal(verbs("nag", "nag --help-man"), 0);
    assert_non_null(strstr(said[0], "\\- head\n"));
    assert_non_null(strstr(said[0], ".BR golgi\\-nag\\-rank (1)\nsorts\n"));
    assert_int_equal(verbs("", "golgi help --nonsense rank"), 2);
    assert_int_equal(verbs("", "golgi qqqqqqq"), 2);
    assert_string_equal(said[1], "golgi: there is no verb \"qqqqqqq\". See: golgi --help\n");
    assert_int_equal(called, 0);
}

static void nearest_takes_swaps_and_beginnings_but_no_guesses(void **state)
{
    (void)state;
    const char *const w[] = {"extract", "rank", "merge", "select", "show"};
    assert_string_equal(gg_nearest("extarct", w, 5), "extract");
    assert_string_equal(gg_nearest("rnk", w, 5), "rank");
    assert_string_equal(gg_nearest("extr", w, 5), "extract");
    assert_string_equal(gg_nearest("show", w, 5), "show");
    assert_null(gg_nearest("zebra", w, 5));
    assert_null(gg_nearest("s", w, 5));
    assert_null(gg_nearest("", w, 5));
    char huge[200];
    memset(huge, 'e', sizeof huge);
    huge[199] = 0;
    assert_null(gg_nearest(huge, w, 5));
}

static gg_status stop_at_three(void *user, int64_t i, int worker)
{
    (void)worker;
    if (i == 3)
        for (int times = 0; times < 3; times++) /* as to the process and to its group */
            raise(*(int *)user);
    return GG_OK;
}

/* How a process ends that gets a signal so long after its first one, SIGTERM; 7 when it lives on. */
static int end_after(double seconds, int number)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        gg_context *ctx = NULL;
        if (parse("rank --model m --threads 1 --quiet") != GG_OK || gg_command_context(&ctx, &c) != GG_OK)
            _exit(1);
        raise(SIGTERM);
        now += seconds;
        raise(number);
        _exit(7);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* One that comes later than an echo does means it; a pipe that broke never does. */
static void a_second_signal_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(end_after(0.4, SIGTERM), 7);
    assert_int_equal(end_after(0.6, SIGTERM), 128 + SIGTERM);
    assert_int_equal(end_after(0.6, SIGINT), 128 + SIGINT);
    assert_int_equal(end_after(0.6, SIGPIPE), 7);
}

enum { STEPS = 300, NO_TRACING = 3 };

/* How a process ends in whose handler of SIGPIPE, so many instructions after its beginning, SIGTERM is handled: what two threads do to each other
 * that get one each. 7 when it lives on and its work was stopped. */
static int end_within(int steps)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        gg_context *ctx = NULL;
        struct sigaction act;
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(NO_TRACING);
        if (parse("rank --model m --threads 1 --quiet") != GG_OK || gg_command_context(&ctx, &c) != GG_OK || sigaction(SIGPIPE, NULL, &act) != 0)
            _exit(1);
        now += 10; /* after what an earlier command got */
        sigemptyset(&act.sa_mask); /* another thread would not wait */
        sigaction(SIGPIPE, &act, NULL);
        raise(SIGPIPE);
        _exit(gg_context_stopped(ctx) ? 7 : 2);
    }
    int status = 0, number = SIGPIPE;
    assert_int_equal(waitpid(child, &status, 0), child);
    for (int i = 0; WIFSTOPPED(status) && i <= steps; i++, number = 0) {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, (void *)(intptr_t)number), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    if (WIFSTOPPED(status)) {
        assert_int_equal(ptrace(PTRACE_CONT, child, NULL, (void *)(intptr_t)SIGTERM), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The later one is the echo, wherever the first one's handler stands. */
static void two_signals_at_once_on_two_threads_are_one(void **state)
{
    (void)state;
    if (end_within(0) == NO_TRACING)
        skip();
    for (int steps = 0; steps < STEPS; steps++)
        assert_int_equal(end_within(steps), 7);
}

static void a_signal_stops_the_work_and_gives_the_exit_code(void **state)
{
    (void)state;
    int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(parse("rank --model m --threads 1 --quiet"), GG_OK);
        gg_context *ctx = NULL;
        assert_int_equal(gg_command_context(&ctx, &c), GG_OK);
        assert_int_equal(gg_context_threads(ctx), 1);
        gg_progress *p = NULL;
        assert_int_equal(gg_command_progress(&p, &c, ctx, "x", "docs", 10), GG_OK);
        assert_null(p);
        const gg_status s = gg_parallel(ctx, 1000, stop_at_three, &signals[i]);
        assert_int_equal(s, GG_EINTR);
        catch_begin();
        const int code = gg_command_close(&c, ctx, s);
        catch_end();
        assert_int_equal(code, i ? 143 : 130);
        assert_string_equal(said[1], "golgi: nag rank: stopped on request\n");
    }
}

static void logs_carry_the_commands_name_and_failures_exit_1(void **state)
{
    (void)state;
    assert_int_equal(parse("rank --model m"), GG_OK);
    gg_context *ctx = NULL;
    assert_int_equal(gg_command_context(&ctx, &c), GG_OK);
    catch_begin();
    gg_progress *p = NULL;
    gg_status s = gg_command_progress(&p, &c, ctx, "pool.jsonl", "docs", 10);
    gg_progress_add(p, 3);
    gg_progress_note(p, "note");
    gg_log(ctx, GG_LOG_WARNING, "K is %d", 10);
    gg_log(ctx, GG_LOG_DEBUG, "not said");
    gg_progress_free(p);
    const int code = gg_command_close(&c, ctx, gg_fail(ctx, GG_EFORMAT, "line %d: no", 5));
    catch_end();
    assert_int_equal(s, GG_OK);
    assert_int_equal(code, 1);
    assert_string_equal(said[1], "golgi: nag rank: warning: K is 10\ngolgi: nag rank: line 5: no\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read), cmocka_unit_test(defaults_stay_and_dashes_end_the_options), cmocka_unit_test(many_words_are_kept),
        cmocka_unit_test(a_mistake_is_named_and_the_nearest_word_offered), cmocka_unit_test(help_has_sentence_example_groups_and_defaults),
        cmocka_unit_test(a_manual_page_is_made_of_the_same_table), cmocka_unit_test(the_words_that_may_follow_are_told),
        cmocka_unit_test(verbs_are_found_explained_and_suggested), cmocka_unit_test(nearest_takes_swaps_and_beginnings_but_no_guesses),
        cmocka_unit_test(a_signal_stops_the_work_and_gives_the_exit_code), cmocka_unit_test(a_second_signal_ends_the_process),
        cmocka_unit_test(two_signals_at_once_on_two_threads_are_one),
        cmocka_unit_test(logs_carry_the_commands_name_and_failures_exit_1),
    };
    signal(SIGINT, SIG_DFL); /* a shell's background jobs ignore it, and what they start does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
