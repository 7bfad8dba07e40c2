/* SIGKILL at random moments of `nag extract` and `nag select`: the same command, run again, gives the bytes of a run that nobody disturbed, does no
 * more than one unit (128 documents) a second time, and leaves nothing but its output. Ten moments of each; a hundred with GOLGI_LONG.
 *
 * The verbs run in a child of this process. What went through the model is counted by a listener that is put beside theirs
 * (--wrap=gg_run in the Makefile), in memory that outlives the child.
 */
#include "cli/program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include "base/work.h"
#include "systems/nag/nag.h"

#if defined(__SANITIZE_ADDRESS__)
enum { N_DOCS = 450 }; /* the sanitizers slow the model down */
#else
enum { N_DOCS = 1500 };
#endif
enum { N_TARGET = 5, UNIT = 128 };

static char *D;
static atomic_llong *n_run; /* documents that came out of the model, in all processes since it was set to 0 */

gg_status __real_gg_run(gg_run_result *out, gg_model *m, gg_documents *documents, const gg_run_options *o, const gg_listener *listeners, int n_listeners);
gg_status __wrap_gg_run(gg_run_result *out, gg_model *m, gg_documents *documents, const gg_run_options *o, const gg_listener *listeners, int n_listeners);

static gg_status count(void *user, void *state, const gg_group *g, int i)
{
    (void)user, (void)state, (void)g, (void)i;
    atomic_fetch_add(n_run, 1);
    return GG_OK;
}

static gg_status hear(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    (void)user, (void)state, (void)g, (void)t;
    return GG_OK;
}

gg_status __wrap_gg_run(gg_run_result *out, gg_model *m, gg_documents *documents, const gg_run_options *o, const gg_listener *listeners, int n_listeners)
{
    gg_listener all[16];
    memcpy(all, listeners, sizeof *all * (size_t)n_listeners);
    all[n_listeners] = (gg_listener){.sites = listeners[0].sites, .tap = hear, .document = count}; /* after theirs: counted when it was taken */
    return __real_gg_run(out, m, documents, o, all, n_listeners + 1);
}

/* Starts the verb in a child; its words are split at spaces. */
static pid_t start(const char *words)
{
    const pid_t child = fork();
    if (child != 0)
        return child;
    static char line[4096];
    char *argv[64];
    int argc = 0;
    snprintf(line, sizeof line, "%s", words);
    for (char *w = strtok(line, " "); w && argc < 63; w = strtok(NULL, " "))
        argv[argc++] = w;
    argv[argc] = NULL;
    char err[4200];
    snprintf(err, sizeof err, "%s/.err", D);
    if (!freopen(err, "w", stderr) || !freopen("/dev/null", "w", stdout))
        _exit(3);
    const int code = gg_nag_main(argc, argv);
    fflush(NULL);
    _exit(code);
}

static void run_whole(const char *words)
{
    int status;
    const pid_t child = start(words);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        static char err[1 << 14], path[4200];
        snprintf(path, sizeof path, "%s/.err", D);
        slurp(err, sizeof err, path);
        fail_msg("golgi %s: status %x: %s", words, (unsigned)status, err);
    }
}

static bool same_files(const char *a, const char *b)
{
    char line[9000];
    snprintf(line, sizeof line, "cmp -s %s/%s %s/%s", D, a, D, b);
    return system(line) == 0;
}

/* Entries of the folder, hidden ones too, that are called `name` or begin with it: what a run may have left. */
static int leftovers(const char *name)
{
    int n = 0;
    DIR *d = opendir(D);
    for (struct dirent *e; (e = readdir(d));)
        n += strstr(e->d_name, name) != NULL && strcmp(e->d_name, name) != 0;
    closedir(d);
    return n;
}

static int prepare(void **state)
{
    (void)state;
    static const char *const words[] = {"And", "God", "said", "let", "there", "be", "light", "int", "main", "void", "neuron", "axon"};
    D = make_folder_in_memory();
    n_run = mmap(NULL, sizeof *n_run, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (n_run == MAP_FAILED)
        return 1;
    static char text[N_DOCS * 400];
    size_t n = 0;
    uint32_t x = 1;
    for (int i = 0; i < N_DOCS; i++) {
        n += (size_t)sprintf(text + n, "{\"docid\": \"d%04d\", \"token_num\": %d, \"doc\": \"", i, 3 + i % 40);
        for (int k = 0; k < 3 + i % 40; k++) {
            x = x * 1664525 + 1013904223;
            n += (size_t)sprintf(text + n, "%s ", words[(x >> 16) % 12]);
        }
        n += (size_t)sprintf(text + n, "\"}\n");
    }
    put_file(D, "pool.jsonl", text, n);
    size_t first = 0;
    for (int i = 0; i < N_TARGET; i++)
        first += (size_t)(strchr(text + first, '\n') - (text + first)) + 1;
    put_file(D, "target.jsonl", text, first);
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    remove_folder(D);
    return 0;
}

/* The words of the command and its output; "$D" stands for the folder. */
static void put_words(char out[4096], const char *words, const char *output)
{
    size_t n = 0;
    for (const char *c = words; *c; c++)
        n += (size_t)(c[0] == '$' && c[1] == 'D' ? (c++, snprintf(out + n, 4096 - n, "%s", D)) : snprintf(out + n, 4096 - n, "%c", *c));
    snprintf(out + n, 4096 - n, " --output %s/%s", D, output);
}

/* n_documents: that one run puts through the model; remains: pattern of the files that stay in OUTPUT.parts, NULL: it goes too */
static void killed_and_run_again(const char *command, const char *output, int n_documents, const char *remains)
{
    char words[4096], name[64];
    snprintf(name, sizeof name, "whole.%s", output);
    put_words(words, command, name);
    *n_run = 0;
    run_whole(words);
    assert_int_equal(*n_run, n_documents);
    snprintf(name, sizeof name, "new.%s", output);
    put_words(words, command, name);
    const int n_kills = getenv("GOLGI_LONG") ? 100 : 10;
    int killed = 0, unfinished = 0, most = 0;
    gg_random random = gg_random_of((uint64_t)time(NULL), 0);
    for (int i = 0; i < n_kills; i++) {
        /* when so many documents are done, and a little later; "more than all" is while the output is put together */
        const long long moment = gg_random_below(&random, n_documents + n_documents / 8);
        const double later = 0.02 * gg_random_uniform(&random) * gg_random_uniform(&random);
        *n_run = 0;
        const pid_t child = start(words);
        int status = 0;
        pid_t ended = 0;
        while (*n_run < (moment < n_documents ? moment : n_documents) && (ended = waitpid(child, &status, WNOHANG)) == 0)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        nanosleep(&(struct timespec){.tv_nsec = (long)(later * 1e9)}, NULL);
        if (ended == 0) {
            kill(child, SIGKILL);
            assert_int_equal(waitpid(child, &status, 0), child);
        }
        killed += WIFSIGNALED(status);
        const bool finished = present(D, name); /* the output has its name: what follows is a new job */
        unfinished += *n_run > 0 && !finished;
        run_whole(words);
        const int again = (int)*n_run - n_documents;
        if (!finished && again > UNIT)
            fail_msg("killed after %lld documents and %.4f s: %d were run again", moment, later, again);
        most = !finished && again > most ? again : most;
        char reference[64], path[8400];
        snprintf(reference, sizeof reference, "whole.%s", output);
        if (!same_files(name, reference))
            fail_msg("killed after %lld documents and %.4f s: the next run gives other bytes", moment, later);
        if (remains) {
            snprintf(path, sizeof path, "test -z \"$(ls -A %s/%s.parts | grep -v '%s')\" && rm -r %s/%s.parts", D, name, remains, D, name);
            if (system(path) != 0)
                fail_msg("killed after %lld documents and %.4f s: something was left in %s.parts", moment, later, name);
        }
        if (leftovers(name) != 0)
            fail_msg("killed after %lld documents and %.4f s: something was left beside %s", moment, later, name);
        snprintf(path, sizeof path, "%s/%s", D, name);
        assert_int_equal(unlink(path), 0);
    }
    print_message("killed %d of %d times, %d with documents done and no output; at most %d documents were run again\n", killed, n_kills, unfinished, most);
    assert_true(killed >= n_kills / 2);
}

static void extraction_goes_on_from_any_moment(void **state)
{
    (void)state;
    killed_and_run_again("nag extract --model " TINY " --input $D/pool.jsonl --top-k 5 --threads 2 --dtype f32", "nag", N_DOCS, NULL);
}

static void a_selection_goes_on_from_any_moment(void **state)
{
    (void)state;
    killed_and_run_again("nag select --model " TINY " --target $D/target.jsonl --pool $D/pool.jsonl --top-k 5 --threads 2 --dtype f32 --fraction 0.3", "jsonl",
                         N_DOCS + N_TARGET, "^\\(pool\\|target\\)-[0-9a-f]*\\.nag$");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extraction_goes_on_from_any_moment),
        cmocka_unit_test(a_selection_goes_on_from_any_moment),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
