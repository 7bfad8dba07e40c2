/* The verbs while memory and files fail them. Each job is run again and again, in this process, and each time another call does not do what
 * it should:
 *     the n-th allocation of a context fails; the n-th of jansson, libcrypto and the C library (where these can be stood in for);
 *     the n-th thread is refused;
 *     the n-th call on a file fails with ENOSPC or EIO, is interrupted, or does half of what it was asked.
 * Then either the output is there, byte for byte what it is without a fault, or there is none, the message says why, and the exit code is 1; and
 * in any case no temporary and no lock is left, what is kept for the next run is whole and leads it to the same output, all memory is back and
 * all files are closed. Contexts are caught where they are made (--wrap=gg_context_create in the Makefile).
 */
#include "cli/program.h"
#include <dirent.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include "base/io.h"
#include "cli/verbs.h"
#include "systems/nag/nag.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* --- faults ------------------------------------------------------------------------------------------------------------- */

enum kind { NONE, MEMORY, JANSSON, CRYPTO, LIBC, THREADS, FILES };
static struct {
    enum kind kind;
    int error;             /* of FILES: errno, 0: a short count */
    atomic_llong n;        /* calls so far */
    long long at;          /* the one that fails */
    _Atomic gg_io_call call; /* that it was, of FILES */
    atomic_bool hit;
    size_t leaked;         /* bytes that contexts were freed with */
    int n_contexts;
} fault;

static bool strikes(enum kind kind)
{
    if (fault.kind != kind || atomic_fetch_add(&fault.n, 1) != fault.at)
        return false;
    fault.hit = true;
    return true;
}

static void *resize(void *user, void *old, size_t old_size, size_t new_size)
{
    (void)user;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    void *p = NULL;
    if (strikes(MEMORY) || posix_memalign(&p, 64, new_size) != 0)
        return NULL;
    if (old)
        memcpy(p, old, old_size < new_size ? old_size : new_size);
    free(old);
    return p;
}

static int before(void *user, gg_io_call call, size_t *n)
{
    (void)user;
    if (!strikes(FILES))
        return 0;
    fault.call = call;
    if (fault.error == 0 && *n > 1)
        *n /= 2;
    return fault.error;
}

gg_status __real_gg_context_create(gg_context **out, const gg_context_options *options);
gg_status __wrap_gg_context_create(gg_context **out, const gg_context_options *options);
void __real_gg_context_free(gg_context *ctx);
void __wrap_gg_context_free(gg_context *ctx);

gg_status __wrap_gg_context_create(gg_context **out, const gg_context_options *options)
{
    gg_context_options o = options ? *options : (gg_context_options){0};
    o.allocator = (gg_allocator){resize, NULL};
    const gg_status made = __real_gg_context_create(out, &o);
    if (made == GG_OK) {
        gg__io_set(*out, (gg_io_hook){before, NULL});
        fault.n_contexts++;
    }
    return made;
}

void __wrap_gg_context_free(gg_context *ctx)
{
    if (ctx) {
        fault.leaked += gg_context_bytes(ctx, NULL);
        fault.n_contexts--;
    }
    __real_gg_context_free(ctx);
}

static void *jansson_malloc(size_t n) { return strikes(JANSSON) ? NULL : malloc(n); }
static void *crypto_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return strikes(CRYPTO) ? NULL : malloc(n);
}
static void *crypto_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return strikes(CRYPTO) ? NULL : realloc(p, n);
}
static void crypto_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

#ifndef SANITIZED /* stands in for the C library's own, for zstd, PCRE2, argp and all that ask it */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
GG_API void *malloc(size_t n)
{
    return strikes(LIBC) ? (errno = ENOMEM, (void *)NULL) : __libc_malloc(n);
}
GG_API void *calloc(size_t n, size_t size)
{
    return strikes(LIBC) ? (errno = ENOMEM, (void *)NULL) : __libc_calloc(n, size);
}
GG_API void *realloc(void *p, size_t n)
{
    return strikes(LIBC) ? (errno = ENOMEM, (void *)NULL) : __libc_realloc(p, n);
}
#endif

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *arg)
{
    return strikes(THREADS) ? EAGAIN : __real_pthread_create(thread, attributes, main, arg);
}

/* --- jobs --------------------------------------------------------------------------------------------------------------- */

static int nag(int argc, char **argv) { return gg_nag_main(argc, argv); }
/* Quiet where a progress line would measure the machine first, a hundredth of a second each time. */
static const struct job {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *words;  /* after the first; $D is the folder */
    const char *output; /* in the folder; NULL: standard output */
    bool runs_model;
    bool is_long;       /* one fault in seven is enough, but for GOLGI_LONG */
} jobs[] = {
    {"extract", nag, "nag extract --model $M --input $D/pool.jsonl --quiet --output $D/new.nag --top-k 5 --sites up,k --threads 2 --dtype f32", "new.nag", true,
     false},
    {"extract rows", nag, "nag extract --model $M --input $D/pool.jsonl.gz --output $D/new.jsonl.zst --top-k 5 --threads 1 --dtype f32 --quiet",
     "new.jsonl.zst", true, false},
    {"units", nag, "nag extract --model $M --input $D/pool.jsonl --quiet --output $D/new/ --unit-size 250 --top-k 5 --threads 2 --dtype f32",
     "new/00000001.nag", true, true},
    {"merge-shards", nag, "nag merge-shards $D/units $D/units/00000001.nag --output $D/new.nag", "new.nag", false, false},
    {"rank", nag, "nag rank --target $D/target.nag --pool $D/pool.nag --payload $D/pool.jsonl.zst --label-column kind --output $D/new.jsonl", "new.jsonl",
     false, false},
    {"rank contrast", nag, "nag rank --target $D/target.jsonl --pool $D/pool.nag --weights contrast --output $D/new.csv --all --json", "new.csv", false, false},
    {"merge", nag, "nag merge $D/pool.jsonl.zst $D/pool.jsonl $D/pool.jsonl.gz --deduplicate --output $D/new.jsonl.gz", "new.jsonl.gz", false, false},
    {"slice", nag, "nag slice --layers last $D/pool.nag --output $D/new.nag", "new.nag", false, false},
    {"slice rows", nag, "nag slice --layers first $D/target.jsonl --output $D/new.jsonl", "new.jsonl", false, false},
    {"select", nag,
     "nag select --model $M --target $D/one.jsonl --pool $D/pool.jsonl --fraction 0.4 --top-k 4 --threads 2 --dtype f32 --quiet --output $D/new.jsonl",
     "new.jsonl", true, false},
    {"score", gg_cli_score, "score --model $M --input $D/pool.jsonl --threads 2 --quiet --output $D/new.jsonl.zst", "new.jsonl.zst", true, false},
    {"activations", gg_cli_activations,
     "activations --model $M --input $D/pool.jsonl --threads 2 --sites up,q --pool mean --logits --quiet --output $D/new.safetensors", "new.safetensors", true,
     false},
    {"gradients", gg_cli_activations,
     "activations --model $M --input $D/one.jsonl --threads 1 --sites up,q --gradients nll --quiet --output $D/new.safetensors", "new.safetensors", true, true},
    {"deactivate", nag, "nag deactivate $D/pool.nag --per-layer 3 --output $D/new.json", "new.json", false, false},
    {"cluster", nag, "nag cluster $D/pool.nag --labels $D/pool.jsonl --label-column kind --threads 2 --json --output $D/new.jsonl", "new.jsonl", false, false},
    {"explain", nag, "nag explain --pool $D/pool.nag --docid d3 --target $D/target.nag --json", NULL, false, false},
    {"explain rare", nag, "nag explain --pool $D/rare.nag --docid 0 --target $D/rare-target.jsonl --json", NULL, false, false},
    {"show", nag, "nag show $D/pool.nag --json", NULL, false, false},
    {"train", gg_cli_train, "train $D/net.json --seeds 2 --output $D/new --threads 2 --quiet --no-report --set training.epochs=2",
     "new/seed-3/best.safetensors", true, true},
    {"eval", gg_cli_eval, "eval --model $D/net --data $D/net.csv --json --threads 1", NULL, true, false},
    {"predict", gg_cli_predict, "predict --model $D/net --input $D/net.csv --output $D/new.csv --threads 1 --quiet", "new.csv", true, false},
    {"lm train", gg_cli_lm,
     "lm train --input $D/pool.jsonl --layers 1 --width 8 --heads 2 --context 8 --batch 2 --steps 2 --gguf f16 --threads 1 --quiet --output $D/new",
     "new/model.safetensors", true, true},
    {"tokenizer train", gg_cli_tokenizer, "tokenizer train --input $D/pool.jsonl --vocab 270 --quiet --output $D/new.json", "new.json", false, false},
    {"convert", gg_cli_model, "model convert --model $D/llama --quiet --output $D/new.gguf", "new.gguf", true, true},
    {"targets", nag, "nag rank --targets $D/target.nag $D/units/00000001.nag --pool $D/pool.nag --payload $D/pool.jsonl --output $D/new", "new/target.jsonl", false, true},
    {"scores", nag, "nag extract --model $M --input $D/pool.jsonl --quiet --output $D/new.nag --scores $D/kept.safetensors --top-k 5 --threads 2", "new.nag", true, true},
    {"piece", nag, "nag rank --target $D/target.nag --pool $D/pool.nag --output $D/new.rank", "new.rank", false, true},
    {"generate", gg_cli_lm, "lm generate --model $M --prompt abc --tokens 3 --json", NULL, true, true},
    {"show", gg_cli_model, "model show $D/llama --json", NULL, true, true},
    {"tokenize", gg_cli_tokenize, "tokenize --model $M $D/pool.jsonl", NULL, true, false},
};
enum { N_JOBS = sizeof jobs / sizeof *jobs, N_DOCS = 7, WORDS = 40 };

static char path_buffer[4][4200];
static const char *at(const char *name)
{
    static int turn;
    char *p = path_buffer[turn++ % 4];
    snprintf(p, sizeof path_buffer[0], "%s/%s", D, name);
    return p;
}

/* Runs a job with its output and messages kept in `s`. */
static void go(const struct job *j)
{
    static char text[WORDS][4200];
    char *argv[WORDS + 1], line[4096];
    int argc = 0;
    /* One thread: libgomp greets a new one with an allocation, and ends the process. */
    snprintf(line, sizeof line, "%s%s", j->words, fault.kind == LIBC ? " --threads 1" : "");
    for (char *w = strtok(line, " "); w && argc < WORDS; w = strtok(NULL, " ")) {
        const bool in_folder = strncmp(w, "$D/", 3) == 0;
        snprintf(text[argc], sizeof text[0], "%s%s", in_folder ? D : "", in_folder ? w + 2 : strcmp(w, "$M") == 0 ? TINY : w);
        argv[argc] = text[argc];
        argc++;
    }
    argv[argc] = NULL;
    fflush(NULL);
    const int fd[2] = {open(at(".out"), O_RDWR | O_CREAT | O_TRUNC, 0600), open(at(".err"), O_RDWR | O_CREAT | O_TRUNC, 0600)};
    const int kept[2] = {dup(1), dup(2)};
    dup2(fd[0], 1);
    dup2(fd[1], 2);
    fault.n = 0;
    fault.hit = false;
    fault.call = GG_IO_CALLS;
    s.code = j->main(argc, argv);
    fault.kind = NONE; /* what looks at the result shall not meet it */
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        dup2(kept[i], i + 1);
        close(kept[i]);
        close(fd[i]);
    }
    slurp(s.out, sizeof s.out, at(".out"));
    slurp(s.err, sizeof s.err, at(".err"));
}

/* --- what is there afterwards --------------------------------------------------------------------------------------------- */

static int open_files(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static bool ends_with(const char *name, const char *ending)
{
    const size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* Features that are kept are whole; anything else that is new is a leftover. Removes them when told. */
static void look_into(const char *folder, bool remove_all, bool in_parts)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[4600];
        const char *path_of = path;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (ends_with(e->d_name, ".tmp") || ends_with(e->d_name, ".lock"))
            fail_msg("%s was left", path);
        const bool parts = ends_with(e->d_name, ".parts") || (!in_parts && strcmp(e->d_name, "new") == 0) || /* or the folder of units, or of runs */
                           (in_parts && strncmp(e->d_name, "seed-", 5) == 0);
        if (parts)
            look_into(path, remove_all, true);
        if (in_parts && ends_with(e->d_name, ".nag")) {
            gg_context *ctx = NULL;
            gg_nag_set *set = NULL;
            assert_int_equal(__real_gg_context_create(&ctx, NULL), GG_OK);
            if (gg_nag_set_read(&set, ctx, &path_of, 1, 0) != GG_OK)
                fail_msg("%s is kept and not whole: %s", path, gg_message(ctx));
            gg_nag_set_free(set);
            __real_gg_context_free(ctx);
        }
        if (remove_all && (in_parts || parts))
            assert_int_equal(remove(path), 0);
    }
    if (d)
        closedir(d);
}

typedef struct bytes {
    char *data;
    size_t n;
} bytes;

static bytes read_bytes(const char *path)
{
    bytes b = {0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return b;
    fseek(f, 0, SEEK_END);
    b.n = (size_t)ftell(f);
    rewind(f);
    b.data = malloc(b.n + 1);
    assert_true(fread(b.data, 1, b.n, f) == b.n);
    fclose(f);
    return b;
}

static bool same(bytes a, bytes b) { return a.data && b.data && a.n == b.n && memcmp(a.data, b.data, a.n) == 0; }

static bytes output_of(const struct job *j) { return read_bytes(at(j->output ? j->output : ".out")); }

static bytes whole[N_JOBS]; /* outputs without a fault */

static const char *fault_text(enum kind kind)
{
    static char text[160];
    static const char *const kinds[] = {"none", "memory", "jansson", "libcrypto", "C library", "threads", "files"};
    static const char *const calls[] = {"open", "look", "read", "map", "write", "sync", "close", "rename", "remove", "folder"};
    const bool named = kind == FILES && fault.call < GG_IO_CALLS;
    snprintf(text, sizeof text, "%s %lld%s%s%s%s", kinds[kind], fault.at, named ? " " : "", named ? calls[fault.call] : "", kind == FILES ? ": " : "",
             kind != FILES ? "" : fault.error ? strerror(fault.error) : "a short count");
    return text;
}

/* Work is done without the thread; a call is made again when it was interrupted. */
static bool goes_on(enum kind kind)
{
    const gg_io_call c = fault.call;
    if (kind != FILES)
        return kind == THREADS;
    return fault.error == 0 || (fault.error == EINTR && (c == GG_IO_OPEN || c == GG_IO_READ || c == GG_IO_WRITE || c == GG_IO_SYNC || c == GG_IO_CLOSE ||
                                                         c == GG_IO_FOLDER));
}

/* A call whose failure leaves nothing to go on with. (What is looked up, read or removed may be something that a job can do without: what an earlier run
 * kept, what a dead one left.) */
static bool is_the_end(enum kind kind)
{
    const gg_io_call c = fault.call;
    return kind == FILES && !goes_on(kind) && (c == GG_IO_MAP || c == GG_IO_WRITE || c == GG_IO_SYNC || c == GG_IO_CLOSE || c == GG_IO_RENAME);
}

/* Runs job i with a fault of this kind; what must hold then. Returns whether the fault struck. */
static bool run_with_fault(int i, enum kind kind)
{
    const struct job *j = &jobs[i];
    const int n_files = open_files();
    fault.leaked = 0;
    fault.n_contexts = 0;
    fault.kind = kind;
    go(j);
    const bool hit = fault.hit;
    const char *what = fault_text(kind);
    bytes b = output_of(j);
    if (fault.leaked || fault.n_contexts || open_files() != n_files)
        fail_msg("%s, %s: %zu bytes, %d contexts and %d files were not given back", j->name, what, fault.leaked, fault.n_contexts, open_files() - n_files);
    if (b.data && !same(b, whole[i]) && (j->output || s.code == 0)) /* what went to standard output before a failure is there */
        fail_msg("%s, %s: another output (exit %d): %s", j->name, what, s.code, s.err);
    if (s.code == 0 && !b.data)
        fail_msg("%s, %s: exit 0 and no output: %s", j->name, what, s.err);
    if (!hit || goes_on(kind)) {
        if (s.code != 0)
            fail_msg("%s, %s: exit %d: %s", j->name, what, s.code, s.err);
    } else if (s.code == 0) {
        if (is_the_end(kind))
            fail_msg("%s, %s: exit 0", j->name, what);
    } else {
        const bool usual = s.code == 1 || (s.code == 2 && kind != FILES); /* 2: no memory to look at the command line */
        const bool told = kind == FILES ? strstr(s.err, strerror(fault.error)) && (strstr(s.err, D) || strstr(s.err, TINY) || strstr(s.err, "golgi-rank.rows"))
                                        : strstr(s.err, "ut of memory") || strstr(s.err, strerror(ENOMEM));
        if (!usual || !told)
            fail_msg("%s, %s: exit %d: %s", j->name, what, s.code, s.err);
    }
    if (j->output)
        unlink(at(j->output));
    look_into(D, false, false);
    if (s.code != 0 && j->runs_model && hit && fault.at % 8 == 0) { /* what was kept leads to the same */
        go(j);
        bytes again = output_of(j);
        if (s.code != 0 || !same(again, whole[i]))
            fail_msg("%s, after %s: the next run gives exit %d: %s", j->name, what, s.code, s.err);
        free(again.data);
        if (j->output)
            unlink(at(j->output));
    }
    look_into(D, true, false);
    free(b.data);
    return hit;
}

/* --- tests ----------------------------------------------------------------------------------------------------------------- */

static int prepare(void **state)
{
    (void)state;
    static const char *const words[] = {"And God said, Let there be light", "and there was light.", "The earth was without form,", "int main(void)",
                                        "12345 caf\\u00e9"};
    char text[8192];
    size_t n = 0;
    D = make_folder_in_memory();
    for (int i = 0; i < N_DOCS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "{\"docid\": \"d%d\", \"kind\": \"%c\", \"doc\": \"%s %s\", \"token_num\": %d}\n", i, 'a' + i % 2,
                              words[i % 5], words[i * 3 % 5], 5 + i);
    put_text(D, "pool.jsonl", text);
    *strchr(text, '\n') = 0;
    put_text(D, "one.jsonl", text);
    shell("cp -r tests/golden/tiny/llama $D/llama");
    shell("gzip -kn $D/pool.jsonl && zstd -qk $D/pool.jsonl");
    shell("$G nag extract --model $M --input $D/pool.jsonl --output $D/pool.nag --top-k 5 --dtype f32");
    shell("$G nag extract --model $M --input $D/one.jsonl --output $D/target.nag --top-k 5 --dtype f32");
    shell("$G nag extract --model $M --input $D/one.jsonl --output $D/target.jsonl --top-k 5 --dtype f32");
    shell("$G nag extract --model $M --input $D/pool.jsonl --output $D/units/ --unit-size 250 --top-k 5 --dtype f32");
    n = 0; /* neuron 9 is in the lists of those alone that are unlike the others */
    for (int i = 0; i < 70; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "{\"docid\": \"%d\", \"fwd_up_feature\": {\"layer_topk_value_index\": [%d, %d, %d, %d], \"n_layers\": 1}}\n", i, i > 66 ? 301 : 1,
                              i > 66 ? 302 : 2, i > 66 ? 303 : 3, i == 0 || i > 66 ? 9 : 100 + i);
        if (i == 0)
            put_text(D, "rare-target.jsonl", text);
    }
    put_text(D, "rare.jsonl", text);
    shell("$G nag slice --layers first $D/rare.jsonl --output $D/rare.nag");
    n = (size_t)snprintf(text, sizeof text, "a,b,colour,kind\n");
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%d,%d,%s,%s\n", i % 7, i % 5, i % 3 ? "red" : "blue", i % 7 > 3 ? "ant" : "bee");
    put_text(D, "net.csv", text);
    put_text(D, "net.json", "{\"data\": {\"train\": \"net.csv\", \"validation\": 0.2, \"test\": 0.2},\n"
                            "\"model\": [{\"layer\": \"linear\", \"n\": 4}, \"relu\", {\"layer\": \"linear\", \"n\": 2}],\n"
                            "\"loss\": {\"name\": \"cross_entropy\", \"weight\": \"balanced\"}, \"optimizer\": \"adam\",\n"
                            "\"training\": {\"epochs\": 3, \"batch_size\": 10, \"seed\": 2, \"checkpoint_seconds\": 1e8}}\n");
    shell("$G train $D/net.json --output $D/net --quiet");
    for (int i = 0; i < N_JOBS; i++) {
        go(&jobs[i]);
        whole[i] = output_of(&jobs[i]);
        if (s.code != 0 || !whole[i].data) {
            print_error("%s: exit %d: %s\n", jobs[i].name, s.code, s.err);
            return 1;
        }
        if (jobs[i].output)
            unlink(at(jobs[i].output));
        look_into(D, true, false);
    }
    return 0;
}

static int tidy_all(void **state)
{
    for (int i = 0; i < N_JOBS; i++)
        free(whole[i].data);
    return tidy(state);
}

static void each_fails_in_turn(enum kind kind, int error, bool with_models)
{
#ifdef SANITIZED /* one in five, and another one in each job: instrumented code takes its time */
    const int usual = getenv("GOLGI_LONG") ? 1 : 5;
#else
    const int usual = 1;
#endif
    for (int i = 0; i < N_JOBS; i++) {
        const int step = jobs[i].is_long && !getenv("GOLGI_LONG") ? 7 * usual : usual;
        if (jobs[i].runs_model && !with_models)
            continue;
        fault.error = error;
        for (fault.at = i % step; run_with_fault(i, kind); fault.at += step) {
        }
        if (getenv("GOLGI_LONG"))
            print_message("%s: %lld calls\n", jobs[i].name, fault.at);
        if (jobs[i].output && kind != CRYPTO && kind != THREADS)
            assert_true(fault.at > 3); /* the fault was there to be met */
    }
}

static void any_allocation_of_a_context_may_fail(void **state)
{
    (void)state;
    each_fails_in_turn(MEMORY, 0, true);
}

static void any_allocation_of_jansson_may_fail(void **state)
{
    (void)state;
    each_fails_in_turn(JANSSON, 0, true);
}

static void any_allocation_of_libcrypto_may_fail(void **state)
{
    (void)state;
    each_fails_in_turn(CRYPTO, 0, true);
}

/* Without models: oneDNN and libgomp end the process when they get no memory. */
static void any_allocation_of_the_c_library_may_fail(void **state)
{
    (void)state;
#ifdef SANITIZED
    skip();
#endif
    each_fails_in_turn(LIBC, 0, false);
}

static void any_thread_may_be_refused(void **state)
{
    (void)state;
    each_fails_in_turn(THREADS, 0, true);
}

static void a_disk_may_be_full_at_any_call(void **state)
{
    (void)state;
    each_fails_in_turn(FILES, ENOSPC, true);
}

static void a_disk_may_fail_at_any_call(void **state)
{
    (void)state;
    each_fails_in_turn(FILES, EIO, true);
}

static void any_call_may_be_interrupted(void **state)
{
    (void)state;
    each_fails_in_turn(FILES, EINTR, true);
}

static void any_call_may_do_half(void **state)
{
    (void)state;
    each_fails_in_turn(FILES, 0, true);
}

int main(void)
{
    CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free); /* before libcrypto's first */
    json_set_alloc_funcs(jansson_malloc, free);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_of_a_context_may_fail),
        cmocka_unit_test(any_allocation_of_jansson_may_fail),
        cmocka_unit_test(any_allocation_of_libcrypto_may_fail),
        cmocka_unit_test(any_allocation_of_the_c_library_may_fail),
        cmocka_unit_test(any_thread_may_be_refused),
        cmocka_unit_test(a_disk_may_be_full_at_any_call),
        cmocka_unit_test(a_disk_may_fail_at_any_call),
        cmocka_unit_test(any_call_may_be_interrupted),
        cmocka_unit_test(any_call_may_do_half),
    };
    return cmocka_run_group_tests(tests, prepare, tidy_all);
}
