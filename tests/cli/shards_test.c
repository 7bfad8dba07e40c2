/* Work shared between processes, run as a person or a scheduler would: shards by word and by Slurm's variables, SIGKILL at any moment, two
 * at one output; and the program as one piece of a pipe. */
#include "cli/program.h"
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include "base/lock.h"
#include "base/ranks.h"
#include "base/work.h"

#if defined(__SANITIZE_ADDRESS__)
enum { N_DOCS = 60, KILLS = 6 };
#else
enum { N_DOCS = 300, KILLS = 20 };
#endif

static int prepare(void **state)
{
    (void)state;
    static const char *const sentence[] = {"And God said, Let there be light: and there was light. ", "The earth was without form, and void; ",
                                           "int main(void) { return 0; } ", "Caf\xc3\xa9, na\xc3\xafve, 12345. "};
    D = make_folder();
    char path[200];
    snprintf(path, sizeof path, "%s/pool.jsonl", D);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < N_DOCS; i++) {
        fprintf(f, "{\"docid\": \"d%03d\", \"doc\": \"", i);
        for (int j = 0; j <= i % 19; j++)
            fputs(sentence[(i + j * j) % 4], f);
        fputs("\"}\n", f);
    }
    return fclose(f);
}

#define refuses(words, exit_code, part)                                                                 \
    do {                                                                                                \
        run_line(&s, D, words);                                                                         \
        if (s.code != (exit_code) || !strstr(s.err, (part)))                                            \
            fail_msg("%s: exit code %d (not %d): %s", words, s.code, exit_code, s.err);                 \
    } while (0)

#define EXTRACT "$G nag extract --model $M --dtype f32 --threads 2 --quiet "
#define UNIT_SIZE "3k"
#define SAME(a, b) "cmp $D/" a " $D/" b

static void one_run(void)
{
    if (!present(D, "one.nag"))
        shell(EXTRACT "--input $D/pool.jsonl --output $D/one.nag");
}

static int64_t fact(const char *name)
{
    json_t *j = json_said();
    const int64_t x = json_integer_value(json_object_get(j, name));
    if (!json_is_integer(json_object_get(j, name)))
        fail_msg("no %s in %s", name, s.out);
    json_decref(j);
    return x;
}

static int count_units(const char *name)
{
    char path[300];
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", D, name);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        n += strlen(e->d_name) == 12 && strcmp(e->d_name + 8, ".nag") == 0;
    if (dir)
        closedir(dir);
    return n;
}

/* --- shards -------------------------------------------------------------------------------------------------------------------------- */
static void shards_by_word_and_by_array_fill_one_folder(void **state)
{
    (void)state;
    one_run();
    shell("for i in 2 0 1; do " EXTRACT "--input $D/pool.jsonl --output $D/words/ --unit-size 4k --shard $i/3 || exit 1; done");
    shell("$G nag merge-shards $D/words --output $D/words.nag && " SAME("words.nag", "one.nag"));
    assert_true(strstr(s.err, "joined "));
    shell("for i in 9 5 7 11; do SLURM_ARRAY_TASK_ID=$i SLURM_ARRAY_TASK_MIN=5 SLURM_ARRAY_TASK_STEP=2 SLURM_ARRAY_TASK_COUNT=4 " EXTRACT
         "--input $D/pool.jsonl --output $D/array/ --unit-size 4k || exit 1; done");
    shell("$G nag merge-shards $D/array/*.nag --output $D/array.nag --json && " SAME("array.nag", "one.nag"));
    assert_int_equal(fact("n_documents"), N_DOCS);
    assert_int_equal(fact("n_missing"), 0);
    shell("SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=2 " EXTRACT
          "--input $D/pool.jsonl --output $D/mine.nag && " SAME("mine.nag", "one.nag"));
    shell(EXTRACT "--input $D/pool.jsonl --output $D/array/ --unit-size 4k --json"); /* all is there; one task again does what is missing */
    assert_int_equal(fact("n_before"), fact("n_units"));
    refuses("SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=3 " EXTRACT "--input $D/pool.jsonl --output $D/array/ --unit-size 4k", 1,
            "the numbers have gaps");
    refuses("SLURM_ARRAY_TASK_ID=x SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=3 " EXTRACT "--input $D/pool.jsonl --output $D/array/ --unit-size 4k", 1,
            "SLURM_ARRAY_TASK_ID is \"x\", and a number is expected");
    refuses("SLURM_ARRAY_TASK_ID=1 " EXTRACT "--input $D/pool.jsonl --output $D/array/ --unit-size 4k", 1, "SLURM_ARRAY_TASK_COUNT does not say");
    shell("SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=3 " EXTRACT "--input $D/pool.jsonl --output $D/array/ --unit-size 4k --json"); /* _MIN: from 0 */
    assert_true(fact("n_mine") > 0 && fact("n_mine") < fact("n_units"));
    refuses(EXTRACT "--input $D/pool.jsonl --output $D/array/ --unit-size 4k --top-k 7", 1, "--top-k: 10 there, 7 now");
    refuses("rm $D/array/00000001.nag; $G nag merge-shards $D/array --output $D/x.nag", 1, "1 of ");
    shell("$G nag merge-shards $D/array --output $D/part.nag --partial && $G nag merge-shards $D/part.nag $D/words --output $D/x.nag && "
          SAME("x.nag", "one.nag"));
    assert_true(strstr(s.err, "1 units are still missing"));
}

static void words_that_make_no_sense_are_told(void **state)
{
    (void)state;
    const char *const shards[] = {"4/4", "-1/4", "1", "1/", "1/0", "x/2", "1/2/3"};
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++) {
        char line[300];
        snprintf(line, sizeof line, EXTRACT "--input $D/pool.jsonl --output $D/w/ --shard=%s", shards[i]);
        refuses(line, 1, "i/N is expected");
    }
    refuses(EXTRACT "--input $D/pool.jsonl --output $D/w.nag --shard 0/2", 1, "units need a folder");
    refuses(EXTRACT "--input $D/pool.jsonl --output - --shard 0/2", 1, "units need a folder");
    refuses(EXTRACT "--input $D/pool.jsonl --output $D/w.nag --unit-size 64M", 1, "units, which need a folder");
    refuses("mkdir $D/there; " EXTRACT "--input $D/pool.jsonl --output $D/there", 1, "for a folder of units, write it ");
    refuses(EXTRACT "--input $D/pool.jsonl --output $D/w/ --unit-size 64X", 1, "as 64M or 1G");
    refuses(EXTRACT "--input $D/pool.jsonl --output $D/w/ --unit-size 0", 1, "as 64M or 1G");
    refuses(EXTRACT "--input $D/pool.jsonl --output $D/w/ --shard 0/2 --mpi", 1, "give one");
    refuses(EXTRACT "--input - --output $D/w/", 1, "standard input cannot be cut");
    if (!gg_ranks_built())
        refuses(EXTRACT "--input $D/pool.jsonl --output $D/w/ --mpi", 1, "built without MPI; install Open MPI (tools/setup --cluster)");
    assert_false(present(D, "w"));
}

static void a_folder_of_files_is_one_input(void **state)
{
    (void)state;
    one_run();
    shell("mkdir $D/files && head -50 $D/pool.jsonl >$D/files/a.jsonl && tail -n +51 $D/pool.jsonl | gzip >$D/files/b.jsonl.gz && touch $D/files/_SUCCESS");
    shell(EXTRACT "--input $D/files --output $D/files.nag && " SAME("files.nag", "one.nag"));
    shell(EXTRACT "--input $D/files/ --output $D/files-units/ && $G nag merge-shards $D/files-units --output $D/files2.nag && " SAME("files2.nag", "one.nag"));
    assert_int_equal(count_units("files-units"), 2);
}

static void a_folder_of_units_is_ranked_as_the_file_is(void **state)
{
    (void)state;
    one_run();
    shell("head -5 $D/pool.jsonl >$D/target.jsonl && " EXTRACT "--input $D/target.jsonl --output $D/target.nag && " EXTRACT
         "--input $D/pool.jsonl --output $D/ranked/ --unit-size 4k");
    shell("mkdir $D/rows && split -n l/3 --additional-suffix=.jsonl $D/pool.jsonl $D/rows/");
    shell("$G nag rank --quiet --target $D/target.nag --pool $D/one.nag --payload $D/pool.jsonl --output $D/of-file.jsonl");
    shell("$G nag rank --quiet --target $D/target.nag --pool $D/ranked --payload $D/rows --output $D/of-folder.jsonl && "
          SAME("of-folder.jsonl", "of-file.jsonl"));
    assert_string_equal(s.err, "");
    shell("$G nag select --quiet --model $M --dtype f32 --target $D/target.jsonl --pool $D/rows --output $D/of-select.jsonl && "
          SAME("of-select.jsonl", "of-file.jsonl"));
    /* A part may be ranked, and it is said. */
    shell("rm $D/ranked/00000002.nag; $G nag rank --quiet --target $D/target.nag --pool $D/ranked --output $D/of-part.jsonl");
    assert_non_null(strstr(s.err, "warning: 1 of the "));
    assert_non_null(strstr(s.err, "units of the input that"));
}

/* --- killed, and two at once ------------------------------------------------------------------------------------------------------------ */
typedef struct unit {
    char name[16];
    ino_t inode;
    struct timespec written;
} unit;

enum { MAX_UNITS = 400 };

/* The finished units of the folder, in no order; how many there are. */
static int list_units(unit out[MAX_UNITS], const char *name)
{
    char path[300];
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", D, name);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && n < MAX_UNITS && (e = readdir(dir));) {
        struct stat st;
        if (strlen(e->d_name) != 12 || strcmp(e->d_name + 8, ".nag") != 0 || fstatat(dirfd(dir), e->d_name, &st, 0) != 0)
            continue;
        out[n] = (unit){.inode = st.st_ino, .written = st.st_mtim};
        memcpy(out[n++].name, e->d_name, 12);
    }
    if (dir)
        closedir(dir);
    return n;
}

/* Each unit that was there is there, and is the same file. */
static void none_was_made_again(const unit *then, int n_then, const unit *now, int n_now)
{
    for (int i = 0; i < n_then; i++) {
        int k = 0;
        while (k < n_now && strcmp(then[i].name, now[k].name) != 0)
            k++;
        if (k == n_now)
            fail_msg("unit %s was there and is gone", then[i].name);
        if (then[i].inode != now[k].inode || then[i].written.tv_sec != now[k].written.tv_sec || then[i].written.tv_nsec != now[k].written.tv_nsec)
            fail_msg("unit %s was made again", then[i].name);
    }
}

static pid_t start_units(const char *name)
{
    const pid_t child = fork();
    if (child != 0)
        return child;
    setenv("GCOV_PREFIX", "/dev/null", 1);
    char pool[200], folder[300];
    snprintf(pool, sizeof pool, "%s/pool.jsonl", D);
    snprintf(folder, sizeof folder, "%s/%s/", D, name);
    execl(golgi(), "golgi", "nag", "extract", "--model", TINY, "--dtype", "f32", "--threads", "2", "--quiet", "--unit-size", UNIT_SIZE,
          "--input", pool, "--output", folder, (char *)NULL);
    _exit(127);
}

/* Each run is killed a short while after it has finished one more unit. One that finishes them all before that counts for nothing: the folder is begun
 * anew. The last run is a killed one. */
static void killed_at_any_moment_no_finished_unit_is_made_again(void **state)
{
    (void)state;
    static unit then[MAX_UNITS], now[MAX_UNITS];
    one_run();
    shell(EXTRACT "--input $D/pool.jsonl --output $D/undisturbed/ --unit-size " UNIT_SIZE " --json");
    const int64_t n_units = fact("n_units");
    assert_in_range(n_units, 4, MAX_UNITS - 1);
    gg_random random = gg_random_of(1, 0);
    int there = 0, n = 0, killed = 0, resumed = 0;
    for (int i = 0; killed < KILLS || resumed == 0 || there == 0; i++) {
        if (i == 10 * KILLS)
            fail_msg("only %d of %d runs could be killed, %d of them with units there", killed, i, resumed);
        const pid_t child = start_units("killed");
        int status = 0;
        pid_t ended = 0;
        while ((n = count_units("killed")) <= there && (ended = waitpid(child, &status, WNOHANG)) == 0)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        if (ended == 0) {
            nanosleep(&(struct timespec){.tv_nsec = gg_random_below(&random, 10000000)}, NULL);
            kill(child, SIGKILL);
            assert_int_equal(waitpid(child, &status, 0), child);
        }
        n = list_units(now, "killed");
        none_was_made_again(then, there, now, n);
        if (WIFEXITED(status))
            assert_true(WEXITSTATUS(status) == 0 && n == n_units);
        else
            assert_int_equal(WTERMSIG(status), SIGKILL);
        if (n < n_units) {
            killed++;
            resumed += there > 0;
            there = n;
            memcpy(then, now, sizeof *now * (size_t)n);
        } else {
            shell("rm -r $D/killed");
            there = 0;
        }
    }
    shell(EXTRACT "--input $D/pool.jsonl --output $D/killed/ --unit-size " UNIT_SIZE " --json");
    const int64_t before = fact("n_before"); /* what was there was kept; the last one begun may lack its name only */
    assert_true(there > 0 && (before == there || before == there + 1));
    assert_int_equal(fact("n_done"), fact("n_units"));
    none_was_made_again(then, there, now, list_units(now, "killed"));
    shell("$G nag merge-shards $D/killed --output $D/killed.nag && " SAME("killed.nag", "one.nag"));
    shell("test -z \"$(find $D/killed -name '.*.tmp' -o -name '*.lock' -o -name '*.parts')\""); /* the dead left nothing */
}

static void two_at_one_folder_share_it_and_nothing_is_lost(void **state)
{
    (void)state;
    one_run();
    run_line(&s, D, "for i in 1 2 3; do " EXTRACT "--input $D/pool.jsonl --output $D/both/ --unit-size 4k 2>$D/both.$i.err & done; wait");
    shell("for i in 1 2 3; do test ! -s $D/both.$i.err || grep -q 'are being made by others .*is writing it' $D/both.$i.err || exit 1; done");
    shell(EXTRACT "--input $D/pool.jsonl --output $D/both/ --unit-size 4k && $G nag merge-shards $D/both --output $D/both.nag && " SAME("both.nag", "one.nag"));
}

static void the_second_at_one_file_is_refused_with_the_holders_id(void **state)
{
    (void)state;
    one_run();
    shell(
        "mkfifo $D/slow.jsonl && exec 8<>$D/slow.jsonl && head -3 $D/pool.jsonl >&8 && { " EXTRACT
        "--input $D/slow.jsonl --output $D/held.nag 8<&- & } && holder=$! && "
        "for i in $(seq 300); do grep -qs process $D/held.nag.lock && break; sleep 0.05; done; " EXTRACT
        "--input $D/pool.jsonl --output $D/held.nag 2>$D/second.err; test $? = 1 && grep -q \"process $holder on $(uname -n) is writing it\" $D/second.err && "
        "kill -KILL $holder; wait $holder; exec 8<&-; " EXTRACT "--input $D/pool.jsonl --output $D/held.nag && " SAME("held.nag", "one.nag"));
    assert_false(present(D, "held.nag.lock"));
}

/* This process holds the output, as another one would that is at the same work. */
static void the_second_of_each_verb_is_refused_with_the_holders_id(void **state)
{
    (void)state;
    static const struct {
        const char *words, *output;
    } cases[] = {
        {EXTRACT "--input $D/pool.jsonl --output $D/taken.nag", "taken.nag"},
        {EXTRACT "--input $D/pool.jsonl --output $D/taken.jsonl.zst", "taken.jsonl.zst"},
        {"head -5 $D/pool.jsonl >$D/few.jsonl; $G nag select --quiet --model $M --dtype f32 --target $D/few.jsonl --pool $D/few.jsonl --output $D/taken.csv",
         "taken.csv"},
        {"$G nag rank --quiet --target $D/one.nag --pool $D/one.nag --output $D/ranked.jsonl", "ranked.jsonl"},
        {"$G nag rank --quiet --targets a=$D/one.nag b=$D/one.nag --pool $D/one.nag --output $D/each", "each/b.jsonl"},
        {"$G nag rank --quiet --target $D/one.nag --pool $D/one.nag --output $D/taken.rank", "taken.rank"},
        {"$G nag merge $D/ranked.jsonl $D/ranked.jsonl --quiet --output $D/merged.jsonl", "merged.jsonl"},
        {"$G nag slice --layers last $D/one.nag --quiet --output $D/sliced.nag", "sliced.nag"},
        {EXTRACT "--input $D/pool.jsonl --output $D/taken/ && $G nag merge-shards $D/taken --quiet --output $D/joined.nag", "joined.nag"},
        {"$G score --quiet --model $M --input $D/few.jsonl --output $D/scores.jsonl", "scores.jsonl"},
        {"$G activations --quiet --model $M --input $D/few.jsonl --output $D/acts.safetensors", "acts.safetensors"},
        {"$G nag cluster --quiet $D/one.nag --k 2 --output $D/groups.jsonl", "groups.jsonl"},
        {"$G nag deactivate --quiet $D/one.nag --output $D/off.json", "off.json"},
        {"$G model convert --quiet --model tests/golden/tiny/gpt2 --output $D/tiny.gguf", "tiny.gguf"},
    };
    one_run();
    shell("mkdir $D/each");
    gg_context *ctx = NULL;
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[300], host[128] = "", says[500];
        gg_lock *held = NULL;
        snprintf(path, sizeof path, "%s/%s", D, cases[i].output);
        assert_int_equal(gg_lock_take(&held, ctx, path), GG_OK);
        gethostname(host, sizeof host - 1);
        snprintf(says, sizeof says, "%s: process %ld on %s is writing it", path, (long)getpid(), host);
        refuses(cases[i].words, 1, says);
        assert_false(present(D, cases[i].output));
        gg_lock_free(held);
        shell("test -z \"$(find $D -name '*.lock')\"");
        shell(cases[i].words);
        shell("test -z \"$(find $D -name '*.lock')\"");
        assert_true(present(D, cases[i].output));
    }
    gg_context_free(ctx);
}

/* --- a pipe ------------------------------------------------------------------------------------------------------------------------------- */
typedef struct filter {
    pid_t pid;
    int to, from;
} filter;

static filter start_filter(void)
{
    int in[2], out[2];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    filter f = {.pid = fork(), .to = in[1], .from = out[0]};
    if (f.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        for (int i = 3; i < 64; i++)
            close(i);
        execl(golgi(), "golgi", "nag", "extract", "--model", TINY, "--dtype", "f32", "--threads", "2", "--quiet", "--input", "-", "--output", "-",
              (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    return f;
}

/* A line, waited for at most a minute. */
static void read_line(char *line, size_t n, int fd)
{
    size_t got = 0;
    while (got == 0 || line[got - 1] != '\n') {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 60000) != 1 || got + 1 == n)
            fail_msg("no line came");
        const ssize_t r = read(fd, line + got, 1);
        if (r <= 0)
            fail_msg("the output ended");
        got++;
    }
    line[got] = 0;
}

static void each_line_is_answered_before_the_next_is_written(void **state)
{
    (void)state;
    filter f = start_filter();
    char line[1 << 14], docid[32];
    for (int i = 0; i < 30; i++) {
        const int n = snprintf(line, sizeof line, "{\"docid\": \"d%d\", \"doc\": \"text number %d\"}\n", i, i);
        const int half = i % 3 ? n : n / 2; /* a line may come in pieces */
        assert_int_equal(write(f.to, line, (size_t)half), half);
        assert_int_equal(write(f.to, line + half, (size_t)(n - half)), n - half);
        read_line(line, sizeof line, f.from);
        snprintf(docid, sizeof docid, "{\"docid\":\"d%d\",", i);
        assert_int_equal(strncmp(line, docid, strlen(docid)), 0);
    }
    close(f.to);
    int code;
    assert_int_equal(waitpid(f.pid, &code, 0), f.pid);
    assert_int_equal(code, 0);
    assert_int_equal(read(f.from, line, 1), 0);
    close(f.from);
}

static void an_idle_pipe_can_be_stopped(void **state)
{
    (void)state;
    filter f = start_filter();
    char line[1 << 14] = "{\"docid\": \"d\", \"doc\": \"text\"}\n";
    assert_int_equal(write(f.to, line, strlen(line)), (ssize_t)strlen(line));
    read_line(line, sizeof line, f.from);
    kill(f.pid, SIGTERM);
    int code;
    assert_int_equal(waitpid(f.pid, &code, 0), f.pid);
    assert_true(WIFEXITED(code));
    assert_int_equal(WEXITSTATUS(code), 143);
    close(f.to);
    close(f.from);
}

static void a_pipe_gives_the_lines_that_a_file_would_have(void **state)
{
    (void)state;
    shell(EXTRACT "--input $D/pool.jsonl --output $D/file.jsonl");
    shell("cat $D/pool.jsonl | " EXTRACT "--input - --output - >$D/pipe.jsonl && " SAME("pipe.jsonl", "file.jsonl"));
    shell("while read -r l; do echo \"$l\"; done <$D/pool.jsonl | " EXTRACT "--input - --output - | cat >$D/pipe.jsonl && " SAME("pipe.jsonl", "file.jsonl"));
    shell("split -n l/4 $D/pool.jsonl $D/piece. && for p in $D/piece.*; do " EXTRACT
          "--input - --output - <$p >$p.out & done; wait; cat $D/piece.*.out >$D/pieces.jsonl; " SAME("pieces.jsonl", "file.jsonl"));
}

static void when_nobody_reads_any_more_it_ends_without_a_word(void **state)
{
    (void)state;
    for (int ignored = 0; ignored < 2; ignored++) { /* a JVM starts its children with SIGPIPE ignored */
        char line[600];
        snprintf(line, sizeof line, "%s bash -c '(while cat \"$1/pool.jsonl\" | sed \"s/d[0-9]/x$RANDOM-$RANDOM-&/\"; do :; done) 2>/dev/null | "
                 "$2 nag extract --model $3 --dtype f32 --quiet --input - --output - 2>$1/gone.err | head -2 >/dev/null; echo ${PIPESTATUS[1]}' - $D $G $M",
                 ignored ? "trap '' PIPE;" : "");
        shell(line);
        assert_string_equal(s.out, "141\n");
        shell("test ! -s $D/gone.err");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_by_word_and_by_array_fill_one_folder),
        cmocka_unit_test(words_that_make_no_sense_are_told),
        cmocka_unit_test(a_folder_of_files_is_one_input),
        cmocka_unit_test(a_folder_of_units_is_ranked_as_the_file_is),
        cmocka_unit_test(killed_at_any_moment_no_finished_unit_is_made_again),
        cmocka_unit_test(two_at_one_folder_share_it_and_nothing_is_lost),
        cmocka_unit_test(the_second_at_one_file_is_refused_with_the_holders_id),
        cmocka_unit_test(the_second_of_each_verb_is_refused_with_the_holders_id),
        cmocka_unit_test(each_line_is_answered_before_the_next_is_written),
        cmocka_unit_test(an_idle_pipe_can_be_stopped),
        cmocka_unit_test(a_pipe_gives_the_lines_that_a_file_would_have),
        cmocka_unit_test(when_nobody_reads_any_more_it_ends_without_a_word),
    };
    return cmocka_run_group_tests_name("shards", tests, prepare, tidy);
}
