/* A large input in units: whatever the cut and whoever did what, the joined bytes are those of one run; what is done stays; what differs is told. */
#include <sys/stat.h>
#include "context.h"
#include "systems/nag/nag_internal.h"
#include <errno.h>
#include <stdatomic.h>
#include "base/file.h"
#include "base/input.h"
#include "base/io.h"
#include "base/lock.h"

#define MODEL "tests/golden/tinygguf/tiny.gguf"
enum { N = 60 };

static gg_model *model;

static const char *unit(const char *dir, int i)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%08d.nag", dir, i);
    return at(name);
}

static void write_rows(const char *name, int from, int to)
{
    gg_rows_writer *w = NULL;
    if (gg_rows_writer_open(&w, ctx, at(name)) != GG_OK)
        abort();
    for (int i = from; i < to; i++) {
        char text[400] = "", docid[16];
        for (int k = 0; k < 3 + i * 7 % 23; k++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%c%d", k ? " word" : "", 'a' + i * 5 % 26, i * k);
        snprintf(docid, sizeof docid, "d%03d", i);
        json_t *row = json_pack("{s:s, s:s}", "docid", docid, "doc", i % 17 == 5 ? "  " : text); /* some are empty */
        if (gg_rows_writer_add(w, row) != GG_OK)
            abort();
        json_decref(row);
    }
    if (gg_rows_writer_commit(w) != GG_OK)
        abort();
}

static int set_up(void **state)
{
    (void)state;
    if (begin_folder("shards", 2) != 0 ||
        gg_model_open(&model, ctx, MODEL, &(gg_model_options){.dtype = GG_F32, .no_head = true}) != GG_OK)
        return -1;
    mkdir(at("pool"), 0777);
    write_rows("pool/0.jsonl", 0, N / 3);
    write_rows("pool/1.jsonl.gz", N / 3, N / 3 + 5);
    write_rows("pool/2.csv", N / 3 + 5, N / 3 + 9);
    write_rows("pool/3.jsonl", N / 3 + 9, N);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gg_model_free(model);
    return end_folder(state);
}

static gg_nag_source source_of(const char *path)
{
    static const char *paths[16];
    static int turn;
    paths[turn = (turn + 1) % 16] = path;
    return (gg_nag_source){.paths = &paths[turn], .n_paths = 1};
}

static const gg_nag_extract_options options = {.top_k = 10, .max_tokens = 24};

/* One process over the files of the pool. */
static const char *whole(void)
{
    static bool made;
    const char *const paths[] = {at("pool/0.jsonl"), at("pool/1.jsonl.gz"), at("pool/2.csv"), at("pool/3.jsonl")};
    const gg_nag_source source = {.paths = paths, .n_paths = 4};
    gg_nag_extract_result r;
    if (!made)
        assert_ok(gg_nag_extract_file(&r, ctx, model, &source, at("whole.nag"), &options));
    made = true;
    return at("whole.nag");
}

static gg_nag_plan *plan_of(const char *dir, int64_t unit_bytes)
{
    gg_nag_plan *p = NULL;
    const gg_nag_source source = source_of(at("pool"));
    assert_ok(gg_nag_plan_open(&p, ctx, model, &source, at(dir), unit_bytes, &options));
    return p;
}

static void run_all(const char *dir, int64_t unit_bytes)
{
    gg_nag_plan *p = plan_of(dir, unit_bytes);
    gg_nag_shard_result r;
    assert_ok(gg_nag_plan_run_shard(&r, p, 0, 1));
    assert_int_equal(r.n_done, gg_nag_plan_units(p));
    gg_nag_plan_close(p);
}

static void join(const char *out, const char *const *inputs, int n)
{
    gg_nag_merge_shards_result r;
    assert_ok(gg_nag_merge_shards(&r, ctx, at(out), inputs, n, false));
    assert_int_equal(r.n_missing, 0);
}

static void remove_folder(const char *name)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s", at(name));
    assert_int_equal(system(command), 0);
}

static void every_unit_size_and_every_sharing_give_the_same_bytes(void **state)
{
    (void)state;
    const int64_t sizes[] = {1 << 30, 3000, 1500, 900, 501, 260, 97, 40};
    const int32_t shards[] = {1, 2, 3, 4, 7, 5, 2, 11};
    for (int k = 0; k < 8; k++) {
        gg_nag_plan *p = plan_of("units", sizes[k]);
        int64_t n = 0, documents = 0, counted;
        const gg_nag_source source = source_of(at("pool"));
        for (int32_t i = shards[k] - 1; i >= 0; i--) { /* last first */
            gg_nag_shard_result r;
            assert_ok(gg_nag_plan_run_shard(&r, p, i, shards[k]));
            assert_int_equal(r.n_done, r.n_mine);
            assert_int_equal(r.n_units, gg_nag_plan_units(p));
            n += r.n_done;
            documents += r.sum.n_documents;
        }
        assert_int_equal(n, gg_nag_plan_units(p));
        assert_int_equal(documents, N - 4); /* four are empty */
        assert_ok(gg_nag_plan_count(&counted, ctx, &source, sizes[k]));
        assert_int_equal(counted, n);
        assert_true(k == 0 ? n == 4 : n > 4);
        join("joined.nag", (const char *[]){at("units")}, 1);
        assert_same_file(at("joined.nag"), whole());
        gg_nag_plan_close(p);
        remove_folder("units");
    }
}

static void joining_knows_no_order_and_no_brackets(void **state)
{
    (void)state;
    run_all("j", 500);
    gg_nag_merge_shards_result r;
    /* evens with the last first; odds; both ways round; a part of what was joined again */
    const char *const evens[] = {unit("j", 6), unit("j", 0), unit("j", 4), unit("j", 2)}, *const odds[] = {unit("j", 5), unit("j", 1), unit("j", 3)};
    assert_ok(gg_nag_merge_shards(&r, ctx, at("evens.nag"), evens, 4, true));
    assert_int_equal(r.n_units, 4);
    assert_true(r.n_missing > 3);
    assert_ok(gg_nag_merge_shards(&r, ctx, at("odds.nag"), odds, 3, true));
    const char *const both[] = {at("odds.nag"), at("evens.nag")}, *const other[] = {at("evens.nag"), unit("j", 2), at("odds.nag")};
    assert_ok(gg_nag_merge_shards(&r, ctx, at("both.nag"), both, 2, true));
    assert_int_equal(r.n_units, 7);
    assert_ok(gg_nag_merge_shards(&r, ctx, at("other.nag"), other, 3, true));
    assert_same_file(at("both.nag"), at("other.nag"));
    const char *const at_once[] = {unit("j", 3), unit("j", 6), unit("j", 1), unit("j", 0), unit("j", 5), unit("j", 2), unit("j", 4)};
    assert_ok(gg_nag_merge_shards(&r, ctx, at("at-once.nag"), at_once, 7, true));
    assert_same_file(at("both.nag"), at("at-once.nag"));
    const char *const all[] = {at("both.nag"), at("j"), at("j"), at("odds.nag")};
    join("all.nag", all, 4); /* units that come again count once */
    assert_same_file(at("all.nag"), whole());
    join("all.nag", (const char *[]){at("j")}, 1);
    assert_same_file(at("all.nag"), whole());
    /* a partial file is a file of features as any other */
    gg_nag_set *s = NULL;
    assert_ok(gg_nag_set_read(&s, ctx, (const char *[]){at("evens.nag")}, 1, 0));
    assert_true(s->f.n > 0);
    gg_nag_set_free(s);
}

static void what_is_missing_is_told_and_only_partial_goes_on(void **state)
{
    (void)state;
    gg_nag_merge_shards_result r;
    run_all("m", 500);
    assert_int_equal(unlink(unit("m", 2)), 0);
    assert_int_equal(unlink(unit("m", 4)), 0);
    assert_int_equal(unlink(unit("m", 5)), 0);
    assert_int_equal(gg_nag_merge_shards(&r, ctx, at("missing.nag"), (const char *[]){at("m")}, 1, false), GG_EMISMATCH);
    expect_message("3 of ");
    expect_message("are missing: 2, 4-5.");
    assert_false(gg_file_exists(at("missing.nag")));
    assert_int_equal(gg_nag_merge_shards(&r, ctx, at("missing.jsonl"), (const char *[]){at("m")}, 1, true), GG_EINVAL);
    assert_int_equal(gg_nag_merge_shards(&r, ctx, at("x.nag"), (const char *[]){at("pool")}, 1, true), GG_ENOENT);
    expect_message("no .nag file");
    assert_int_equal(gg_nag_merge_shards(&r, ctx, at("x.nag"), (const char *[]){whole()}, 1, true), GG_EINVAL);
    expect_message("not a unit");
    assert_int_equal(gg_nag_merge_shards(&r, ctx, at("x.nag"), NULL, 0, true), GG_EINVAL);
    run_all("m", 500); /* only those three are made */
    join("found.nag", (const char *[]){at("m")}, 1);
    assert_same_file(at("found.nag"), whole());
}

static void what_is_done_is_not_done_again(void **state)
{
    (void)state;
    struct stat before[64], after;
    gg_nag_plan *p = plan_of("done", 500);
    gg_nag_shard_result r;
    const int n = (int)gg_nag_plan_units(p);
    assert_ok(gg_nag_plan_run_shard(&r, p, 0, 1));
    for (int i = 0; i < n; i++)
        assert_int_equal(stat(unit("done", i), &before[i]), 0);
    assert_ok(gg_nag_plan_run_shard(&r, p, 0, 1));
    assert_int_equal(r.n_before, n);
    assert_int_equal(r.sum.n_reused, r.sum.n_documents);
    for (int i = 0; i < n; i++) {
        assert_int_equal(stat(unit("done", i), &after), 0);
        assert_int_equal(after.st_ino, before[i].st_ino);
        assert_int_equal(after.st_mtim.tv_nsec, before[i].st_mtim.tv_nsec);
    }
    assert_int_equal(truncate(unit("done", 3), 300), 0); /* a crash of the machine: made again, the others stay */
    assert_ok(gg_nag_plan_run_shard(&r, p, 0, 1));
    assert_int_equal(r.n_before, n - 1);
    assert_int_equal(gg_nag_plan_run_shard(&r, p, 3, 3), GG_EINVAL);
    gg_nag_plan_close(p);
    join("again.nag", (const char *[]){at("done")}, 1);
    assert_same_file(at("again.nag"), whole());
}

static void refused(const char *dir, const gg_nag_source *source, int64_t unit_bytes, const gg_nag_extract_options *o, const char *part, const char *second)
{
    gg_nag_plan *p = NULL;
    assert_int_equal(gg_nag_plan_open(&p, ctx, model, source, at(dir), unit_bytes, o), GG_EMISMATCH);
    assert_null(p);
    expect_message("00000000.nag was made in another way");
    expect_message(part);
    if (second)
        expect_message(second);
    expect_message("name another --output folder");
}

static void changed_options_are_refused_with_all_that_differs(void **state)
{
    (void)state;
    const gg_nag_source source = source_of(at("pool"));
    run_all("o", 500);
    refused("o", &source, 500, &(gg_nag_extract_options){.top_k = 7, .max_tokens = 20}, "--top-k: 10 there, 7 now", "--max-tokens: 24 there, 20 now");
    refused("o", &source, 500, &(gg_nag_extract_options){.top_k = 10, .max_tokens = 24, .types = 3, .special = true}, "--sites: up there, up,down now",
            "--special: no there, yes now");
    refused("o", &source, 1500, &options, "--unit-size: 500 there, 1500 now", "units of the input");
    gg_nag_source named = source;
    named.options.text_column = "doc";
    refused("o", &named, 500, &options, "--text-column: none there, doc now", NULL);
    write_rows("pool/4.jsonl", 500, 501);
    refused("o", &source, 500, &options, "units of the input: ", NULL);
    unlink(at("pool/4.jsonl"));
    gg_model *other = NULL;
    gg_nag_plan *p = NULL;
    assert_ok(gg_model_open(&other, ctx, MODEL, &(gg_model_options){.dtype = GG_BF16, .no_head = true}));
    assert_int_equal(gg_nag_plan_open(&p, ctx, other, &source, at("o"), 500, &options), GG_EMISMATCH);
    expect_message("--dtype: f32 there, bf16 now");
    gg_model_free(other);
    assert_int_equal(gg_nag_plan_open(&p, ctx, model, &source, at("o"), 500, &(gg_nag_extract_options){.scores = "x.safetensors"}), GG_EUNSUPPORTED);
    assert_int_equal(gg_nag_plan_open(&p, ctx, model, &source, at("pool/2.csv"), 500, &options), GG_EINVAL);
    expect_message("this is a file");
}

static void changed_bytes_and_foreign_files_are_refused(void **state)
{
    (void)state;
    gg_nag_plan *p = NULL;
    gg_nag_extract_result r;
    write_rows("alone.jsonl", 0, 40);
    const gg_nag_source source = source_of(at("alone.jsonl"));
    assert_ok(gg_nag_plan_open(&p, ctx, model, &source, at("b"), 700, &options));
    const int n = (int)gg_nag_plan_units(p);
    assert_true(n > 3);
    for (int i = 0; i < n; i++)
        assert_ok(gg_nag_plan_run(&r, p, i));
    FILE *f = fopen(at("alone.jsonl"), "r+"); /* one letter of the first text, in place */
    assert_non_null(f);
    assert_int_equal(fseek(f, 24, SEEK_SET), 0);
    fputc('Z', f);
    fclose(f);
    assert_int_equal(gg_nag_plan_run(&r, p, 0), GG_EMISMATCH);
    expect_message("made from other bytes");
    expect_message("alone.jsonl has changed since then");
    assert_ok(gg_nag_plan_run(&r, p, 1)); /* its bytes are what they were */
    assert_int_equal(r.n_reused, r.n_documents);
    assert_int_equal(rename(unit("b", 2), unit("b", 1)), 0);
    assert_int_equal(gg_nag_plan_run(&r, p, 1), GG_EMISMATCH);
    expect_message("does not hold unit 1");
    gg_nag_plan_close(p);
    mkdir(at("foreign"), 0777);
    char command[300];
    snprintf(command, sizeof command, "cp %s %s/pool.nag", whole(), at("foreign"));
    assert_int_equal(system(command), 0);
    assert_int_equal(gg_nag_plan_open(&p, ctx, model, &source, at("foreign"), 700, &options), GG_EMISMATCH);
    expect_message("pool.nag is not a unit");
    /* units of two inputs do not join */
    gg_nag_merge_shards_result m;
    const char *const two[] = {unit("b", 0), unit("o", 0)};
    assert_int_equal(gg_nag_merge_shards(&m, ctx, at("x.nag"), two, 2, true), GG_EMISMATCH);
    expect_message("units of the input");
    const gg_nag_source standard = source_of("-");
    assert_int_equal(gg_nag_plan_open(&p, ctx, model, &standard, at("s"), 700, &options), GG_EUNSUPPORTED);
}

static void a_unit_in_other_hands_is_passed_over_and_told(void **state)
{
    (void)state;
    gg_nag_plan *p = plan_of("busy", 500);
    gg_nag_shard_result r;
    gg_nag_extract_result one;
    gg_lock *l = NULL;
    char process[32];
    snprintf(process, sizeof process, "process %ld on ", (long)getpid());
    assert_ok(gg_lock_take(&l, ctx, unit("busy", 1)));
    assert_int_equal(gg_nag_plan_run(&one, p, 1), GG_EBUSY);
    expect_message(process);
    assert_int_equal(gg_nag_plan_run_shard(&r, p, 0, 1), GG_EBUSY);
    expect_message("1 of this shard's ");
    expect_message(process);
    assert_int_equal(r.n_busy, 1);
    assert_int_equal(r.n_done, r.n_mine - 1);
    gg_lock_free(l);
    assert_ok(gg_nag_plan_run_shard(&r, p, 0, 1));
    assert_int_equal(r.n_before, r.n_mine - 1);
    gg_nag_plan_close(p);
    assert_ok(gg_lock_take(&l, ctx, at("held.nag"))); /* the same for a file */
    const gg_nag_source source = source_of(at("pool/2.csv"));
    assert_int_equal(gg_nag_extract_file(&one, ctx, model, &source, at("held.nag"), &options), GG_EBUSY);
    expect_message(process);
    gg_lock_free(l);
}

static void a_docid_in_two_units_is_found(void **state)
{
    (void)state;
    gg_nag_shard_result r;
    gg_nag_merge_shards_result m;
    gg_nag_plan *p = NULL;
    write_rows("twice-a.jsonl", 0, 20);
    write_rows("twice-b.jsonl", 18, 30);
    const char *const paths[] = {at("twice-a.jsonl"), at("twice-b.jsonl")};
    const gg_nag_source source = {.paths = paths, .n_paths = 2};
    assert_ok(gg_nag_plan_open(&p, ctx, model, &source, at("twice"), 1 << 20, &options));
    assert_ok(gg_nag_plan_run_shard(&r, p, 0, 1));
    gg_nag_plan_close(p);
    assert_int_equal(gg_nag_merge_shards(&m, ctx, at("twice.nag"), (const char *[]){at("twice")}, 1, false), GG_EFORMAT);
    expect_message("\"d018\" comes twice: in unit 0 ");
    expect_message("and in unit 1");
    assert_false(gg_file_exists(at("twice.nag")));
}

/* Two texts of 64 bytes with one XXH64: a change in the first 32 bytes is taken back in the second. */
static bool collide(char a[65], char b[65])
{
    const uint64_t P1 = 0x9E3779B185EBCA87ull, P2 = 0xC2B2AE3D27D4EB4Full;
    uint64_t inverse = P2, x[2], state[2];
    for (int i = 0; i < 6; i++)
        inverse *= 2 - P2 * inverse; /* Newton, modulo 2^64 */
    memcpy(b, a, 65);
    b[0]++;
    memcpy(&x[0], a, 8);
    memcpy(&x[1], b, 8);
    for (int i = 0; i < 2; i++) {
        const uint64_t sum = 1 + P1 + P2 + x[i] * P2; /* seed 1 */
        state[i] = (sum << 31 | sum >> 33) * P1;
    }
    uint64_t second;
    memcpy(&second, a + 32, 8);
    second += (state[0] - state[1]) * inverse;
    memcpy(b + 32, &second, 8);
    return strlen(b) == 64; /* no NUL by chance */
}

static void equal_hashes_of_different_docids_are_no_alarm(void **state)
{
    (void)state;
    char a[65], b[65];
    for (int i = 0;; i++) {
        snprintf(a, sizeof a, "%07d is tried here, and then a text until there are 64 bytes.", i % 10000000);
        assert_int_equal(strlen(a), 64);
        if (collide(a, b))
            break;
    }
    assert_true(gg__xxh64(a, 64, 1) == gg__xxh64(b, 64, 1));
    assert_string_not_equal(a, b);
    gg_nag_header h;
    assert_ok(gg_nag_header_of(&h, ctx, model, &options));
    const char *const docids[] = {a, b, a};
    const uint16_t index[2 * 10] = {0};
    const int64_t tokens = 5;
    for (int i = 0; i < 3; i++) {
        char name[16];
        gg_nag_writer *w = NULL;
        snprintf(name, sizeof name, "c%d.nag", i);
        json_t *units = json_pack("{s:i, s:i, s:s, s:[i]}", "of", 3, "bytes", 1, "plan", "x", "held", i);
        assert_ok(gg__nag_writer_open_units(&w, ctx, at(name), &h, units));
        assert_ok(gg_nag_writer_add(
            w, &(gg_nag_features){.n = 1, .docid = &docids[i], .token_num = &tokens, .n_scored = &tokens, .index_bytes = 2, .index = {index}}));
        assert_ok(gg_nag_writer_commit(w));
        json_decref(units);
    }
    gg_nag_merge_shards_result m;
    const char *const inputs[] = {at("c0.nag"), at("c1.nag"), at("c2.nag")};
    assert_ok(gg_nag_merge_shards(&m, ctx, at("c.nag"), inputs, 2, true));
    assert_int_equal(m.n_documents, 2);
    assert_int_equal(gg_nag_merge_shards(&m, ctx, at("c.nag"), inputs, 3, true), GG_EFORMAT);
    expect_message("in unit 0 ");
    expect_message("and in unit 2;");
}

static void headers_that_lie_are_refused(void **state)
{
    (void)state;
    gg_nag_header h;
    gg_nag_merge_shards_result m;
    assert_ok(gg_nag_header_of(&h, ctx, model, &options));
    const char *const units[] = {"{\"of\":3,\"held\":[3]}", "{\"of\":3,\"held\":[-1]}", "{\"of\":3,\"held\":[]}", "{\"of\":3}", "{\"of\":3,\"held\":[0,1]}",
                                 "{\"of\":3,\"held\":[1,0],\"counts\":[0,0]}", "{\"of\":3,\"held\":[0,1],\"counts\":[1,1]}",
                                 "{\"of\":3,\"held\":[0,1],\"counts\":[0]}", "{\"of\":3,\"held\":[0],\"counts\":[\"x\"]}", "{\"of\":3,\"held\":[0.5]}",
                                 "{\"of\":\"3\",\"held\":[0]}"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        gg_nag_writer *w = NULL;
        json_t *j = json_loads(units[i], 0, NULL);
        assert_ok(gg__nag_writer_open_units(&w, ctx, at("lie.nag"), &h, j));
        assert_ok(gg_nag_writer_commit(w));
        json_decref(j);
        if (gg_nag_merge_shards(&m, ctx, at("x.nag"), (const char *[]){at("lie.nag")}, 1, true) != GG_EFORMAT)
            fail_msg("%s was taken", units[i]);
        expect_message("disagree about the units");
    }
}

/* --- the hash of the source --- */
typedef struct holder {
    int64_t bytes;      /* of the source */
    atomic_int heard;   /* documents that are through */
    atomic_bool held, in_vain;
    bool refuse;        /* the hash fails */
} holder;

/* The hash asks for the whole of a small source at once, which reading lines never does: it has to wait until documents are through. */
static int hold_the_hash(void *user, gg_io_call call, size_t *n)
{
    holder *h = user;
    if (call != GG_IO_READ || (int64_t)*n != h->bytes)
        return 0;
    h->held = true;
    for (int i = 0; i < 10000 && h->heard == 0; i++)
        usleep(1000);
    h->in_vain |= h->heard == 0;
    return h->refuse ? EIO : 0;
}

static gg_status hear_nothing(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    (void)user, (void)state, (void)g, (void)t;
    return GG_OK;
}
static gg_status hear(void *user, void *state, const gg_group *g, int i)
{
    (void)state, (void)g, (void)i;
    ((holder *)user)->heard++;
    return GG_OK;
}

static void documents_do_not_wait_for_the_hash_of_their_source(void **state)
{
    (void)state;
    gg_nag_extract_result r;
    for (int units = 0; units < 2; units++)
        for (int bad = 0; bad < 2; bad++) {
            holder h = {.bytes = gg_file_size(at("pool/3.jsonl")), .refuse = bad};
            const gg_listener listener = {.sites = 1u << GG_SITE_UP, .tap = hear_nothing, .document = hear, .user = &h};
            gg_nag_extract_options o = options;
            gg_nag_plan *p = NULL;
            o.others = &listener;
            o.n_others = 1;
            const gg_nag_source source = source_of(at("pool/3.jsonl"));
            if (units)
                assert_ok(gg_nag_plan_open(&p, ctx, model, &source, at("held"), 1 << 30, &o));
            gg__io_set(ctx, (gg_io_hook){hold_the_hash, &h});
            const gg_status st = units ? gg_nag_plan_run(&r, p, 0) : gg_nag_extract_file(&r, ctx, model, &source, at("held.nag"), &o);
            gg__io_set(ctx, (gg_io_hook){0});
            gg_nag_plan_close(p);
            assert_true(h.held);
            assert_false(h.in_vain);
            assert_int_equal(st, bad ? GG_EIO : GG_OK);
            if (bad)
                expect_message("3.jsonl");
            assert_int_equal(gg_file_exists(units ? unit("held", 0) : at("held.nag")), !bad);
            assert_false(gg_file_exists(at(units ? "held/00000000.nag.parts" : "held.nag.parts")));
            remove_folder("held");
            remove_folder("held.nag");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_size_and_every_sharing_give_the_same_bytes),
        cmocka_unit_test(joining_knows_no_order_and_no_brackets),
        cmocka_unit_test(what_is_missing_is_told_and_only_partial_goes_on),
        cmocka_unit_test(what_is_done_is_not_done_again),
        cmocka_unit_test(changed_options_are_refused_with_all_that_differs),
        cmocka_unit_test(changed_bytes_and_foreign_files_are_refused),
        cmocka_unit_test(a_unit_in_other_hands_is_passed_over_and_told),
        cmocka_unit_test(a_docid_in_two_units_is_found),
        cmocka_unit_test(equal_hashes_of_different_docids_are_no_alarm),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(documents_do_not_wait_for_the_hash_of_their_source),
    };
    return cmocka_run_group_tests_name("nag_shards", tests, set_up, tear_down);
}
