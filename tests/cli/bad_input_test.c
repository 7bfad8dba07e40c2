/* Bad input, as a person meets it: a message with the file and the place, what to do, exit 1 (2 for a wrong command line), nothing half-written. */
#include "cli/program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static char *D;

static int prepare(void **state)
{
    (void)state;
    D = make_folder();
    static char model[1 << 20];
    FILE *f = fopen(TINY, "rb");
    const size_t n = f ? fread(model, 1, sizeof model, f) : 0;
    if (!f || fclose(f) || n < 1000)
        return 1;
    put_file(D, "half.gguf", model, n / 2);
    put_file(D, "header.gguf", model, 17);
    put_text(D, "empty.gguf", "");
    put_text(D, "foreign.gguf", "\x7f" "ELF not a model at all, but long enough to have a header of some kind");
    char *name = memmem(model, n, "llama", 5); /* the value of general.architecture */
    memcpy(name, "lluma", 5);
    put_file(D, "family.gguf", model, n);
    memcpy(name, "llama", 5);
    char *tensor = memmem(model, n, "blk.1.ffn_up.weight", 19);
    memcpy(tensor, "blk.1.ffn_ap.weight", 19);
    put_file(D, "lacks.gguf", model, n);
    memcpy(tensor, "blk.1.ffn_up.weight", 19);
    /* after the name: n_dims (4), dims (2 x 8), type (4), offset (8) */
    const uint32_t strange = 77;
    const uint64_t far = 1ull << 40;
    uint32_t type;
    uint64_t offset;
    memcpy(&type, tensor + 19 + 20, 4);
    memcpy(tensor + 19 + 20, &strange, 4);
    put_file(D, "quant.gguf", model, n);
    memcpy(tensor + 19 + 20, &type, 4);
    memcpy(&offset, tensor + 19 + 24, 8);
    memcpy(tensor + 19 + 24, &far, 8);
    put_file(D, "outside.gguf", model, n);
    memcpy(tensor + 19 + 24, &offset, 8);
    /* NaN in the first value of blk.0.attn_q.weight, float32 */

    put_text(D, "empty.safetensors", "");
    put_text(D, "foreign.safetensors", "hello, I am text and not tensors");
    put_file(D, "long.safetensors", "\xff\xff\xff\xff\xff\xff\x00\x00{}", 10);
    put_text(D, "pool.jsonl", "{\"docid\": \"a\", \"doc\": \"In the beginning\", \"token_num\": 5}\n"
                              "{\"docid\": \"b\", \"doc\": \"was the word\", \"token_num\": 4}\n"
                              "{\"docid\": \"c\", \"doc\": \"and it was good\", \"token_num\": 4}\n");
    put_text(D, "broken.jsonl", "{\"docid\": \"a\", \"doc\": \"x y z\"}\n{\"docid\": \"b\", \"doc\": \n");
    put_text(D, "column.jsonl", "{\"docid\": \"a\", \"words\": \"x y z\"}\n");
    put_text(D, "twice.jsonl", "{\"docid\": \"a\", \"doc\": \"x y z\"}\n{\"docid\": \"a\", \"doc\": \"x y\"}\n");
    put_text(D, "noid.jsonl", "{\"docid\": \"a\", \"doc\": \"x y z\"}\n{\"doc\": \"x y\"}\n");
    put_text(D, "blank.jsonl", "{\"docid\": \"a\", \"doc\": \"x y z\"}\n{\"docid\": \"b\", \"doc\": \"  \"}\n");
    put_text(D, "beyond.json", "{\"golgi\": \"action\", \"version\": 1, \"actions\": [{\"neurons\": [\"L1.up[96]\"], \"operation\": \"zero\"}]}");
    put_text(D, "layer.json", "{\"golgi\": \"action\", \"version\": 1, \"actions\": [{\"neurons\": [\"L9.up[0]\"], \"operation\": \"zero\"}]}");
    put_text(D, "verb.json", "{\"golgi\": \"action\", \"version\": 1, \"actions\": [{\"neurons\": [\"L1.up[0]\"], \"operation\": \"explode\"}]}");
    put_text(D, "torn.json", "{\"golgi\": \"action\", ");
    put_text(D, "torn.nag", "GG");
    struct said s;
    run(&s, D, "nag extract --model $M --input $D/pool.jsonl --output $D/k3.nag --top-k 3");
    run(&s, D, "nag extract --model $M --input $D/pool.jsonl --output $D/k5.nag --top-k 5");
    run(&s, D, "nag extract --model $M --input $D/pool.jsonl --output $D/down.nag --top-k 5 --sites down");
    return present(D, "k3.nag") && present(D, "k5.nag") && present(D, "down.nag") ? 0 : 1;
}

static int tidy(void **state)
{
    (void)state;
    remove_folder(D);
    return 0;
}

#define EXTRACT(model, pool) "nag extract --model " model " --input " pool " --output $D/new.nag"
static const struct {
    const char *words;
    int code;
    const char *must[4]; /* all of these in the message */
} cases[] = {
    {EXTRACT("$D/half.gguf", "$D/pool.jsonl"), 1, {"golgi: nag extract: ", "half.gguf", "byte"}},
    {EXTRACT("$D/header.gguf", "$D/pool.jsonl"), 1, {"header.gguf", "byte"}},
    {EXTRACT("$D/empty.gguf", "$D/pool.jsonl"), 1, {"empty.gguf", "empty"}},
    {EXTRACT("$D/foreign.gguf", "$D/pool.jsonl"), 1, {"foreign.gguf", "GGUF"}},
    {EXTRACT("$D/absent.gguf", "$D/pool.jsonl"), 1, {"absent.gguf", "No such file"}},
    {EXTRACT("$D/family.gguf", "$D/pool.jsonl"), 1, {"family.gguf", "lluma", "llama", "gemma3"}},
    {EXTRACT("$D/lacks.gguf", "$D/pool.jsonl"), 1, {"lacks.gguf", "blk.1.ffn_up.weight"}},
    {EXTRACT("$D/quant.gguf", "$D/pool.jsonl"), 1, {"quant.gguf", "blk.1.ffn_up.weight", "77"}},
    {EXTRACT("$D/outside.gguf", "$D/pool.jsonl"), 1, {"outside.gguf", "blk.1.ffn_up.weight", "byte"}},
    {EXTRACT("$D/empty.safetensors", "$D/pool.jsonl"), 1, {"empty.safetensors", "empty"}},
    {EXTRACT("$D/foreign.safetensors", "$D/pool.jsonl"), 1, {"foreign.safetensors"}},
    {EXTRACT("$D/long.safetensors", "$D/pool.jsonl"), 1, {"long.safetensors", "header"}},
    {EXTRACT("$M", "$D/broken.jsonl"), 1, {"broken.jsonl:2"}},
    {EXTRACT("$M", "$D/column.jsonl"), 1, {"column.jsonl", "words", "--text-column"}},
    {EXTRACT("$M", "$D/twice.jsonl"), 1, {"twice.jsonl:2", "\"a\"", "1"}},
    {EXTRACT("$M", "$D/noid.jsonl"), 1, {"noid.jsonl:2", "docid"}},
    {EXTRACT("$M", "$D/blank.jsonl --strict"), 1, {"blank.jsonl:2", "empty"}},
    {EXTRACT("$M", "$D/absent.jsonl"), 1, {"absent.jsonl", "no such file"}},
    {EXTRACT("$M", "$D/pool.jsonl --action $D/beyond.json"), 1, {"beyond.json", "L1.up", "96"}},
    {EXTRACT("$M", "$D/pool.jsonl --action $D/layer.json"), 1, {"layer.json", "L9", "0 to 1"}},
    {EXTRACT("$M", "$D/pool.jsonl --action $D/verb.json"), 1, {"verb.json", "explode", "zero"}},
    {EXTRACT("$M", "$D/pool.jsonl --action $D/torn.json"), 1, {"torn.json:1"}},
    {EXTRACT("$M", "$D/pool.jsonl --sites pu"), 1, {"pu", "up"}},
    {"nag extract --model $M --input $D/pool.jsonl --output /dev/full", 1, {"/dev/full"}},
    {"nag rank --target $D/k3.nag --pool $D/k5.nag --output $D/new.jsonl", 1, {"k3.nag", "k5.nag", "K 3", "K 5"}},
    {"nag rank --target $D/k5.nag --pool $D/down.nag --output $D/new.jsonl", 1, {"k5.nag", "down.nag", "site"}},
    {"nag rank --target $D/torn.nag --pool $D/k5.nag --output $D/new.jsonl", 1, {"torn.nag"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --fraction 0 --output $D/new.jsonl", 1, {"--fraction", "0"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --fraction 1.5 --output $D/new.jsonl", 1, {"--fraction", "1.5"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --fraction x --output $D/new.jsonl", 2, {"--fraction", "x"}},
    {"nag rank --target $D/k5.nag --output $D/new.jsonl", 2, {"--pool"}},
    {"nag rank --tarpet $D/k5.nag", 2, {"--tarpet", "--target"}},
    {"nag rnak", 2, {"rnak", "rank"}},
    {"nga", 2, {"nga", "nag"}},
    {"nag", 2, {"extract", "rank", "select"}},
    {"score --model $M --input $D/broken.jsonl --output $D/new.jsonl", 1, {"golgi: score: ", "broken.jsonl:2"}},
    {"activations --model $M --input $D/pool.jsonl --sites q_norm --output $D/new.jsonl", 1, {"q_norm", "golgi model sites"}},
    {"activations --model $M --input $D/pool.jsonl --layers 0-7 --output $D/new.jsonl", 1, {"layer 7", "0 to 1"}},
    {"activations --model $M --output $D/new.jsonl", 1, {"--input", "--ids"}},
    {"tokenize --model $D/foreign.gguf $D/pool.jsonl", 1, {"foreign.gguf"}},
    {"model get gemma9", 1, {"gemma9", "gemma3-270m"}},
};

static void each_mistake_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    static struct said s;
    int wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(&s, D, cases[i].words);
        bool fine = s.code == cases[i].code;
        for (int k = 0; k < 4 && cases[i].must[k]; k++)
            fine = fine && strstr(s.err, cases[i].must[k]);
        fine = fine && !present(D, "new.nag") && !present(D, "new.jsonl");
        if (!fine) {
            wrong++;
            print_error("golgi %s\n  exit %d, expected %d; it said: %s\n", cases[i].words, s.code, cases[i].code, s.err);
        }
    }
    assert_int_equal(wrong, 0);
}

static void an_empty_document_is_skipped_counted_and_listed(void **state)
{
    (void)state;
    static struct said s;
    run(&s, D, "nag extract --model $M --input $D/blank.jsonl --output $D/blank.nag");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "1 empty"));
}

static void a_k_above_the_width_is_clamped_with_a_warning(void **state)
{
    (void)state;
    static struct said s;
    run(&s, D, "nag extract --model $M --input $D/pool.jsonl --output $D/wide.nag --top-k 1000");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "warning"));
    assert_non_null(strstr(s.err, "96"));
}

static void no_temporary_files_stay_behind(void **state)
{
    (void)state;
    char line[4200];
    snprintf(line, sizeof line, "test $(ls -A %s | grep -c -e tmp -e '^\\.new' -e '^new') = 0", D);
    assert_int_equal(system(line), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_told_and_leaves_nothing),
        cmocka_unit_test(an_empty_document_is_skipped_counted_and_listed),
        cmocka_unit_test(a_k_above_the_width_is_clamped_with_a_warning),
        cmocka_unit_test(no_temporary_files_stay_behind),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
