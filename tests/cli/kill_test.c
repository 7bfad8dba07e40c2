/* SIGKILL at random moments of `nag extract`, into a file and into a folder of units, and of `nag select`: the same command, run again, gives the bytes
 * of a run that nobody disturbed, does no more than one unit (128 documents, or what a unit of the folder has) a second time, and leaves nothing but its
 * output. Ten kills of each; a hundred with GOLGI_LONG. Other moments in each run, the same ones again with the printed GOLGI_SEED. Random moments hardly
 * ever fall between two changes of a folder, so those are gone through one by one: killed before each file that is made, renamed or removed (of `train`
 * too).
 *
 * The verbs run in a child of this process. What went through the model is counted by a listener that is put beside theirs
 * (--wrap=gg_run in the Makefile, as the C library's calls below), in memory that outlives the child. Every other time the listener itself ends the process, at a document drawn
 * before; between them this process does, whatever the child is at.
 */
#include "cli/program.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include "base/work.h"
#include "cli/verbs.h"
#include "systems/nag/nag.h"

#if defined(__SANITIZE_ADDRESS__)
enum { N_DOCS = 450 }; /* the sanitizers slow the model down */
#else
enum { N_DOCS = 1500 };
#endif
enum { N_TARGET = 5, UNIT = 128, N_FEW = UNIT + 12 };

static atomic_llong *n_run; /* documents that came out of the model, in all processes since it was set to 0 */
static atomic_llong *die_at; /* the process in which n_run comes to this ends there; 0: none does */
static atomic_llong *n_changes, *die_at_change; /* the same of changes to folders */

gg_status __real_gg_run(gg_run_result *out, gg_model *m, gg_documents *documents, const gg_run_options *o, const gg_listener *listeners, int n_listeners);
gg_status __wrap_gg_run(gg_run_result *out, gg_model *m, gg_documents *documents, const gg_run_options *o, const gg_listener *listeners, int n_listeners);

static gg_status count(void *user, void *state, const gg_group *g, int i)
{
    (void)user, (void)state, (void)g, (void)i;
    if (atomic_fetch_add(n_run, 1) + 1 == *die_at)
        kill(getpid(), SIGKILL);
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
    memcpy(all + 1, listeners, sizeof *all * (size_t)n_listeners);
    all[0] = (gg_listener){.sites = listeners[0].sites, .tap = hear, .document = count}; /* before theirs: a document that is kept was counted */
    return __real_gg_run(out, m, documents, o, all, n_listeners + 1);
}

static void change(void)
{
    if (n_changes && atomic_fetch_add(n_changes, 1) + 1 == *die_at_change)
        kill(getpid(), SIGKILL);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, mode_t mode);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_remove(const char *path);
int __wrap_remove(const char *path);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __real_unlinkat(int folder, const char *path, int flags);
int __wrap_unlinkat(int folder, const char *path, int flags);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);

int __wrap_open(const char *path, int flags, mode_t mode)
{
    if (flags & O_CREAT)
        change();
    return __real_open(path, flags, mode);
}
int __wrap_rename(const char *from, const char *to) { return change(), __real_rename(from, to); }
int __wrap_remove(const char *path) { return change(), __real_remove(path); }
int __wrap_unlink(const char *path) { return change(), __real_unlink(path); }
int __wrap_unlinkat(int folder, const char *path, int flags) { return change(), __real_unlinkat(folder, path, flags); }
int __wrap_mkdir(const char *path, mode_t mode) { return change(), __real_mkdir(path, mode); }

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
    const int code = strcmp(argv[0], "train") == 0 ? gg_cli_train(argc, argv) : gg_nag_main(argc, argv);
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

/* Files, or folders with the same files, hidden ones too. */
static bool same(const char *a, const char *b)
{
    char line[9000];
    snprintf(line, sizeof line, "diff -qr %s/%s %s/%s >/dev/null 2>&1", D, a, D, b);
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

/* Documents of the largest unit of the folder; how many all of them have. */
static int largest_unit(int *n_documents, const char *folder)
{
    int most = 0;
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", D, folder);
    *n_documents = 0;
    gg_context *ctx = NULL;
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char unit[4600];
        const char *path_of = unit;
        gg_nag_set *set = NULL;
        if (e->d_name[0] == '.')
            continue;
        snprintf(unit, sizeof unit, "%s/%s", path, e->d_name);
        assert_int_equal(gg_nag_set_read(&set, ctx, &path_of, 1, 0), GG_OK);
        most = (int)set->f.n > most ? (int)set->f.n : most;
        *n_documents += (int)set->f.n;
        gg_nag_set_free(set);
    }
    closedir(d);
    gg_context_free(ctx);
    return most;
}

static int prepare(void **state)
{
    (void)state;
    static const char *const words[] = {"And", "God", "said", "let", "there", "be", "light", "int", "main", "void", "neuron", "axon"};
    D = make_folder_in_memory();
    n_run = mmap(NULL, 4 * sizeof *n_run, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (n_run == MAP_FAILED)
        return 1;
    die_at = n_run + 1;
    n_changes = n_run + 2;
    die_at_change = n_run + 3;
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
    for (int i = 0; i < N_FEW; i++) {
        if (i == N_TARGET)
            put_file(D, "target.jsonl", text, first);
        first += (size_t)(strchr(text + first, '\n') - (text + first)) + 1;
    }
    put_file(D, "few.jsonl", text, first);
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

/* The output `name` has the bytes of `reference` and nothing else is left; then removes it. remains: as below; moment: that the run before was killed at. */
static void check_output(const char *name, const char *reference, const char *remains, const char *moment)
{
    char line[8400];
    if (!same(name, reference))
        fail_msg("killed %s: the next run gives other bytes", moment);
    if (remains) {
        snprintf(line, sizeof line, "ls -A %s/%s.parts | grep -v '%s' >&2; test $? = 1 && rm -r %s/%s.parts", D, name, remains, D, name);
        if (system(line) != 0)
            fail_msg("killed %s: something was left in %s.parts", moment, name);
    }
    if (leftovers(name) != 0)
        fail_msg("killed %s: something was left beside %s", moment, name);
    snprintf(line, sizeof line, "rm -r %s/%s", D, name);
    assert_int_equal(system(line), 0);
}

/* output: ending of the output's name, with / of a folder of units; n_documents: that one run puts through the model; remains: pattern of the files that
 * stay in OUTPUT.parts, NULL: it goes too */
static void killed_and_run_again(const char *command, const char *output, int n_documents, const char *remains)
{
    char words[4096], name[64], reference[64];
    int unit = UNIT, in_units;
    const bool folder = strchr(output, '/') != NULL;
    snprintf(reference, sizeof reference, "whole.%s", output);
    put_words(words, command, reference);
    *n_run = 0;
    run_whole(words);
    assert_int_equal(*n_run, n_documents);
    snprintf(name, sizeof name, "new.%s", output);
    put_words(words, command, name);
    if (folder) {
        name[strlen(name) - 1] = reference[strlen(reference) - 1] = 0;
        unit = largest_unit(&in_units, reference);
        assert_int_equal(in_units, n_documents);
        assert_true(4 * unit < n_documents);
    }
    const int n_kills = getenv("GOLGI_LONG") ? 100 : 10;
    int killed = 0, unfinished = 0, most = 0;
    const uint64_t seed = getenv("GOLGI_SEED") ? strtoull(getenv("GOLGI_SEED"), NULL, 10) : (uint64_t)time(NULL);
    print_message("GOLGI_SEED=%llu\n", (unsigned long long)seed);
    gg_random random = gg_random_of(seed, 0);
    for (int i = 0; killed < n_kills; i++) { /* a run that came to its end before is one more, and not the last: every other one is certainly killed */
        /* at a document exactly; or when so many documents are done, and a little later: "more than all" is while the output is put together */
        const bool exact = i % 2 == 0;
        const long long moment = exact ? 1 + gg_random_below(&random, n_documents) : gg_random_below(&random, n_documents + n_documents / 8);
        const double later = exact ? 0 : 0.02 * gg_random_uniform(&random) * gg_random_uniform(&random);
        *n_run = 0;
        *die_at = exact ? moment : 0;
        const pid_t child = start(words);
        int status = 0;
        pid_t ended = 0;
        while (!exact && *n_run < (moment < n_documents ? moment : n_documents) && (ended = waitpid(child, &status, WNOHANG)) == 0)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        nanosleep(&(struct timespec){.tv_nsec = (long)(later * 1e9)}, NULL);
        if (ended == 0) {
            if (!exact)
                kill(child, SIGKILL);
            assert_int_equal(waitpid(child, &status, 0), child);
        }
        *die_at = 0;
        if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : exact || WEXITSTATUS(status) != 0)
            fail_msg("to be killed after %lld documents and %.4f s: status %x", moment, later, (unsigned)status);
        killed += WIFSIGNALED(status);
        const bool finished = folder ? same(name, reference) : present(D, name); /* a file has its name: what follows is a new job */
        unfinished += *n_run > 0 && !finished;
        if (exact && (*n_run != moment || finished))
            fail_msg("killed after %lld documents: %lld were counted, and the output is %s", moment, (long long)*n_run, finished ? "there" : "not there");
        run_whole(words);
        const int again = (int)*n_run - n_documents;
        if (!finished && (again < 0 || again > unit))
            fail_msg("killed after %lld documents and %.4f s: %d were run again", moment, later, again);
        most = !finished && again > most ? again : most;
        char moment_text[80];
        snprintf(moment_text, sizeof moment_text, "after %lld documents and %.4f s", moment, later);
        check_output(name, reference, remains, moment_text);
    }
    print_message("killed %d times, %d of them with documents done and no output; at most %d documents were run again, a unit has %d\n", killed, unfinished,
                  most, unit);
    assert_true(unfinished >= n_kills / 2);
}

/* Whether the run was killed; false: it came to its end with fewer changes. */
static bool killed_before_change(const char *words, int which)
{
    int status;
    *n_changes = 0;
    *die_at_change = which;
    const pid_t child = start(words);
    assert_int_equal(waitpid(child, &status, 0), child);
    *die_at_change = 0;
    const bool killed = WIFSIGNALED(status);
    assert_int_equal(killed ? WTERMSIG(status) : WEXITSTATUS(status), killed ? SIGKILL : 0);
    return killed;
}

/* Killed before its first change of a folder, its second, ... until one run comes to its end. */
static void killed_at_every_change(const char *command, const char *output, const char *remains)
{
    char words[4096], name[64], reference[64], moment[80];
    snprintf(reference, sizeof reference, "changed.%s", output);
    snprintf(name, sizeof name, "between.%s", output);
    put_words(words, command, reference);
    run_whole(words);
    put_words(words, command, name);
    if (strchr(output, '/'))
        name[strlen(name) - 1] = reference[strlen(reference) - 1] = 0;
    int n = 0;
    for (bool killed = true; killed; n++) {
        killed = killed_before_change(words, n + 1);
        run_whole(words);
        snprintf(moment, sizeof moment, "before change %d", n + 1);
        check_output(name, reference, remains, moment);
    }
    print_message("killed before each of %d changes\n", n - 1);
    assert_in_range(n, 10, 300);
}

static void extraction_goes_on_from_any_moment(void **state)
{
    (void)state;
    killed_and_run_again("nag extract --model " TINY " --input $D/pool.jsonl --top-k 5 --threads 2 --dtype f32", "nag", N_DOCS, NULL);
}

static void an_extraction_in_units_goes_on_from_any_moment(void **state)
{
    (void)state;
    killed_and_run_again("nag extract --model " TINY " --input $D/pool.jsonl --top-k 5 --threads 2 --dtype f32 --unit-size 12k", "units/", N_DOCS, NULL);
}

#define KEPT "^\\(pool\\|target\\)-[0-9a-f]*\\.nag$" /* in OUTPUT.parts */

static void a_selection_goes_on_from_any_moment(void **state)
{
    (void)state;
    killed_and_run_again("nag select --model " TINY " --target $D/target.jsonl --pool $D/pool.jsonl --top-k 5 --threads 2 --dtype f32 --fraction 0.3", "jsonl",
                         N_DOCS + N_TARGET, KEPT);
}

static void extraction_goes_on_from_between_any_two_changes(void **state)
{
    (void)state;
    killed_at_every_change("nag extract --model " TINY " --input $D/few.jsonl --top-k 5 --threads 2 --dtype f32", "nag", NULL);
}

static void an_extraction_in_units_goes_on_from_between_any_two_changes(void **state)
{
    (void)state;
    killed_at_every_change("nag extract --model " TINY " --input $D/few.jsonl --top-k 5 --threads 2 --dtype f32 --unit-size 12k", "units/", NULL);
}

static void a_selection_goes_on_from_between_any_two_changes(void **state)
{
    (void)state;
    killed_at_every_change("nag select --model " TINY " --target $D/target.jsonl --pool $D/few.jsonl --top-k 5 --threads 2 --dtype f32 --fraction 0.3", "jsonl",
                           KEPT);
}

/* Of a run, what is the same whenever it is made. */
#define RUN_SAME "cut -d , -f 1-5 $D/runs/$r/log.csv; cat $D/runs/$r/best.safetensors; ls -A $D/runs/$r"

/* The folder of a run has times in it, so it is looked into. */
static void a_training_goes_on_from_between_any_two_changes(void **state)
{
    (void)state;
    put_text(D, "net.csv", "a,b,kind\n0,1,ant\n1,0,bee\n2,1,ant\n3,5,bee\n4,2,bee\n1,1,ant\n0,2,ant\n5,5,bee\n");
    put_text(D, "net.json", "{\"data\": {\"train\": \"net.csv\", \"validation\": 0.25}, \"model\": [{\"layer\": \"linear\", \"n\": 2}], \"loss\": \"cross_entropy\", \"optimizer\": \"sgd\", "
                            "\"training\": {\"epochs\": 2, \"batch_size\": 3, \"seed\": 2, \"checkpoint_seconds\": 1e-9}}");
    shell("mkdir $D/runs");
    char words[4096];
    put_words(words, "train $D/net.json --threads 1 --quiet --no-report", "runs/whole");
    run_whole(words);
    shell("r=whole; { " RUN_SAME "; } > $D/whole.txt");
    put_words(words, "train $D/net.json --threads 1 --quiet --no-report", "runs/new");
    int n = 0;
    for (bool killed = true; killed; n++) {
        killed = killed_before_change(words, n + 1);
        run_whole(words);
        shell("r=new; { " RUN_SAME "; } | diff $D/whole.txt - && rm -r $D/runs/new && test \"$(ls -A $D/runs)\" = whole");
    }
    print_message("killed before each of %d changes\n", n - 1);
    assert_in_range(n, 30, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extraction_goes_on_from_any_moment),
        cmocka_unit_test(an_extraction_in_units_goes_on_from_any_moment),
        cmocka_unit_test(a_selection_goes_on_from_any_moment),
        cmocka_unit_test(extraction_goes_on_from_between_any_two_changes),
        cmocka_unit_test(an_extraction_in_units_goes_on_from_between_any_two_changes),
        cmocka_unit_test(a_selection_goes_on_from_between_any_two_changes),
        cmocka_unit_test(a_training_goes_on_from_between_any_two_changes),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
