/* Bad input, as a person meets it: a message with the file and the place, what to do, exit 1 (2 for a wrong command line), nothing half-written. */
#include "cli/program.h"
#include <dirent.h>
#include <golgi/golgi.h>

/* The model with a NaN among the weights of blk.1.ffn_up. */
static void put_nan(char *model, size_t n)
{
    gg_context *ctx = NULL;
    gg_tensors *t = NULL;
    const gg_tensor *x = NULL;
    if (gg_context_create(&ctx, NULL) != GG_OK || gg_tensors_open(&t, ctx, TINY) != GG_OK || !(x = gg_tensors_find(t, "blk.1.ffn_up.weight")))
        abort();
    char *scale = memmem(model, n, x->data, (size_t)x->n_bytes); /* what a block of Q8_0, Q4_0... begins with, or a weight */
    const uint32_t bits = 0x7fc07e00; /* a NaN as float32, and its low half as float16 */
    uint32_t before;
    memcpy(&before, scale, 4);
    memcpy(scale, &bits, x->dtype == GG_F32 ? 4 : 2);
    put_file(D, "nan.gguf", model, n);
    memcpy(scale, &before, 4);
    gg_tensors_free(t);
    gg_context_free(ctx);
}

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
    char *title = memmem(model, n, "general.name", 12); /* the same numbers under another name: another model */
    title[12 + 4 + 8] ^= 1; /* after the type and the length of its value */
    put_file(D, "other.gguf", model, n);
    title[12 + 4 + 8] ^= 1;
    put_nan(model, n);

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
    put_text(D, "tokens.jsonl", "{\"docid\": \"a\", \"doc\": \"x\", \"token_num\": \"many\"}\n");
    put_text(D, "numbers.jsonl", "{\"docid\": \"a\", \"doc\": 12}\n");
    put_text(D, "list.json", "[{\"docid\": \"a\", \"doc\": \"x\"}]\n");
    put_text(D, "quotes.csv", "docid,doc\na,\"x y\nb,z\n");
    put_text(D, "short.csv", "docid,doc\na,x,y\n");
    put_text(D, "foreign.parquet", "PAR1 and then nothing of that kind PAR1");
    put_text(D, "foreign.jsonl.gz", "plain text");
    put_text(D, "nodocid.jsonl", "{\"name\": \"a\", \"nag_distance\": 0.5}\n");
    put_text(D, "pay.jsonl", "{\"docid\": \"a\", \"kind\": \"x\"}\n{\"docid\": \"b\", \"kind\": \"y\"}\n");
    put_text(D, "paytwice.jsonl", "{\"docid\": \"a\", \"token_num\": 1}\n{\"docid\": \"a\", \"token_num\": 1}\n");
    shell(
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo \"{\\\"docid\\\": $i, \\\"doc\\\": \\\"$(test $i = 7 && echo word)\\\"}\"; done > $D/blanks.jsonl");
    shell("gzip -c $D/pool.jsonl | head -c -9 > $D/cut.jsonl.gz");
    shell("for f in cut far type kind lacks; do cp -r tests/golden/tiny/llama $D/$f; chmod -R u+w $D/$f; done");
    shell("head -c -100 tests/golden/tiny/llama/model.safetensors > $D/cut/model.safetensors");
    shell("sed -i 's/\"data_offsets\":\\[0,/\"data_offsets\":[9,/' $D/far/model.safetensors");
    shell("sed -i 's/\"F32\"/\"F99\"/' $D/type/model.safetensors");
    shell("sed -i 's/model.layers.1.mlp.up_proj/model.layers.1.mlp.ap_proj/' $D/lacks/model.safetensors");
    shell("sed -i 's/\"model_type\": \"llama\"/\"model_type\": \"bloom\"/' $D/kind/config.json");
    shell("mkdir $D/folder");
    run(&s, D, "nag extract --model $M --input $D/pool.jsonl --output $D/k3.nag --top-k 3");
    run(&s, D, "nag extract --model $M --input $D/pool.jsonl --output $D/k5.nag --top-k 5");
    run(&s, D, "nag extract --model $D/other.gguf --input $D/pool.jsonl --output $D/other.nag --top-k 5");
    run(&s, D, "nag extract --model $M --input $D/pool.jsonl --output $D/down.nag --top-k 5 --sites down");
    return present(D, "k3.nag") && present(D, "k5.nag") && present(D, "other.nag") && present(D, "down.nag") ? 0 : 1;
}

#define EXTRACT(model, pool) "nag extract --model " model " --input " pool " --output $D/new.nag"
#define EXTRACT_TO(path) "nag extract --model $M --input $D/pool.jsonl --output " path
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
    {EXTRACT("$D/absent/", "$D/pool.jsonl"), 1, {"absent/: ", "there is no folder", "check the name"}},
    {EXTRACT("$D/family.gguf", "$D/pool.jsonl"), 1, {"family.gguf", "lluma", "llama", "gemma3"}},
    {EXTRACT("$D/lacks.gguf", "$D/pool.jsonl"), 1, {"lacks.gguf", "blk.1.ffn_up.weight"}},
    {EXTRACT("$D/quant.gguf", "$D/pool.jsonl"), 1, {"quant.gguf", "blk.1.ffn_up.weight", "77"}},
    {EXTRACT("$D/outside.gguf", "$D/pool.jsonl"), 1, {"outside.gguf", "blk.1.ffn_up.weight", "byte"}},
    {EXTRACT("$D/empty.safetensors", "$D/pool.jsonl"), 1, {"empty.safetensors", "empty"}},
    {EXTRACT("$D/foreign.safetensors", "$D/pool.jsonl"), 1, {"foreign.safetensors"}},
    {EXTRACT("$D/long.safetensors", "$D/pool.jsonl"), 1, {"long.safetensors", "header"}},
    {EXTRACT("$D/nan.gguf", "$D/pool.jsonl"), 1, {"nan.gguf", "blk.1.ffn_up.weight", "row 0", "not finite"}},
    {EXTRACT("$D/cut", "$D/pool.jsonl"), 1, {"cut/model.safetensors", "model.norm.weight", "bytes", "truncated"}},
    {EXTRACT("$D/far", "$D/pool.jsonl"), 1, {"far/model.safetensors", "bytes"}},
    {EXTRACT("$D/type", "$D/pool.jsonl"), 1, {"type/model.safetensors", "\"F99\"", "F32 F16 BF16"}},
    {EXTRACT("$D/lacks", "$D/pool.jsonl"), 1, {"lacks", "model.layers.1.mlp.up_proj.weight", "nearest"}},
    {EXTRACT("$D/kind", "$D/pool.jsonl"), 1, {"kind", "\"bloom\"", "llama, mistral", "gptneox"}},
    {EXTRACT("$D/folder", "$D/pool.jsonl"), 1, {"folder"}},
    {EXTRACT("tests/golden/tiny/llama", "$D/pool.jsonl"), 1, {"tokenizer.json", "No such file"}},
    {EXTRACT("$M", "$D/broken.jsonl"), 1, {"broken.jsonl:2"}},
    {EXTRACT("$M", "$D/column.jsonl"), 1, {"column.jsonl:1", "present: docid, words", "--text-column"}},
    {EXTRACT("$M", "$D/pool.jsonl --text-column body"), 1, {"pool.jsonl:1", "no column body", "present: docid, doc, token_num", "--text-column"}},
    {EXTRACT("$M", "$D/pool.jsonl --id-column name"), 1, {"pool.jsonl:1", "no column name", "present: docid, doc, token_num", "--id-column"}},
    {EXTRACT("$M", "$D/pool.jsonl --token-column n"), 1, {"pool.jsonl:1", "no column n", "present: docid, doc, token_num", "--token-column"}},
    {EXTRACT("$M", "$D/tokens.jsonl"), 1, {"tokens.jsonl:1", "token_num", "whole number"}},
    {EXTRACT("$M", "$D/numbers.jsonl"), 1, {"numbers.jsonl:1", "column doc", "a text was expected"}},
    {EXTRACT("$M", "$D/list.json"), 1, {"list.json:1", "jq -c"}},
    {EXTRACT("$M", "$D/quotes.csv"), 1, {"quotes.csv:2", "quote"}},
    {EXTRACT("$M", "$D/short.csv"), 1, {"short.csv:2", "3", "2"}},
    {EXTRACT("$M", "$D/foreign.jsonl.gz"), 1, {"foreign.jsonl.gz", "gzip", "1f 8b"}},
    {EXTRACT("$M", "$D/cut.jsonl.gz"), 1, {"cut.jsonl.gz", "byte", "gzip"}},
    {EXTRACT("$M", "$D/pool.txt.xyz"), 1, {"pool.txt.xyz", "no such file"}},
    {EXTRACT("$M", "$D/k5.nag"), 1, {"k5.nag", "expected .jsonl"}},
    {EXTRACT("$M", "$D/twice.jsonl"), 1, {"twice.jsonl:2", "\"a\"", "1"}},
    {EXTRACT("$M", "$D/noid.jsonl"), 1, {"noid.jsonl:2", "docid"}},
    {EXTRACT("$M", "$D/blank.jsonl --strict"), 1, {"blank.jsonl:2", "empty"}},
    {EXTRACT("$M", "$D/absent.jsonl"), 1, {"absent.jsonl", "no such file"}},
    {EXTRACT("$M", "$D/pool.jsonl --action $D/beyond.json"), 1, {"beyond.json", "L1.up", "96"}},
    {EXTRACT("$M", "$D/pool.jsonl --action $D/layer.json"), 1, {"layer.json", "L9", "0 to 1"}},
    {EXTRACT("$M", "$D/pool.jsonl --action $D/verb.json"), 1, {"verb.json", "explode", "zero"}},
    {EXTRACT("$M", "$D/pool.jsonl --action $D/torn.json"), 1, {"torn.json:1"}},
    {EXTRACT("$M", "$D/pool.jsonl --sites pu"), 1, {"\"pu\"", "up, down, q, k, v, o"}},
    {EXTRACT("$M", "$D/pool.jsonl --sites up,gate"), 1, {"\"gate\" is none of them", "up, down, q, k, v, o"}},
    {"nag extract --model $M --input $D/pool.jsonl --output /dev/full", 1, {"/dev/full"}},
    {"nag rank --target $D/k3.nag --pool $D/k5.nag --output $D/new.jsonl", 1, {"k3.nag", "k5.nag", "K 3", "K 5"}},
    {"nag rank --target $D/k5.nag --pool $D/other.nag --output $D/new.jsonl", 1, {"k5.nag", "other.nag", "same --model"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --payload $D/pay.jsonl --label-column topic --output $D/new.jsonl", 1, {"no column topic", "docid, kind"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --payload $D/pay.jsonl --token-column words --output $D/new.jsonl", 1, {"no column words", "docid, kind"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --payload $D/paytwice.jsonl --output $D/new.jsonl", 1, {"paytwice.jsonl:2", "\"a\"", "before"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --payload $D/nodocid.jsonl --output $D/new.jsonl", 1, {"nodocid.jsonl:1", "no docid"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --target-filter x --output $D/new.jsonl", 1, {"no column dataset", "--target-filter-column"}},
    {"nag rank --target $D/k5.nag --target-filter z --target-filter-column kind --target-payload $D/pay.jsonl --pool $D/k5.nag --output $D/new.jsonl", 1,
     {"kind = z", "there are x, y"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --payload $D/pay.jsonl --quality-column kind --output $D/new.jsonl", 1, {"pay.jsonl", "number", "kind"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --payload $D/pay.jsonl --quality-column none --output $D/new.jsonl", 1, {"no column none", "docid, kind"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --invert-quality --output $D/new.jsonl", 1, {"--invert-quality", "--quality-column"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --target-filter-column kind --output $D/new.jsonl", 1,
     {"--target-filter-column", "without --target-filter"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --keep 0.5 --output $D/new.jsonl", 1, {"--keep", ".rank"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --keep 0.5 --up-to 0.5 --output $D/new.rank", 1, {"--keep and --up-to"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --power 0 --output $D/new.jsonl", 1, {"--power 0"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --power 2 --weights contrast --output $D/new.jsonl", 1, {"--power 2", "--weights frequency"}},
    {"nag select --model $M --target $D/pool.jsonl --pool $D/pool.jsonl --invert-quality --output $D/new.jsonl", 1, {"--invert-quality", "--quality-column"}},
    {"nag explain --pool $D/k5.nag --target $D/k5.nag --docid z", 1, {"no document \"z\" among 3"}},
    {"nag explain --pool $D/k5.nag --target $D/k5.nag --docid a --weights contrast --power 3", 1, {"--power 3", "--weights frequency"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --site q --output $D/new.jsonl", 1, {"k5.nag", "site q", "up"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --output $D/new.xyz", 1, {"new.xyz", "expected .jsonl"}},
    {"nag merge $D/nodocid.jsonl --deduplicate --output $D/new.jsonl", 1, {"nodocid.jsonl:1", "no docid"}},
    {"nag merge $D/pool.jsonl $D/broken.jsonl --output $D/new.jsonl", 1, {"broken.jsonl:2"}},
    {"nag rank --target $D/k5.nag --pool $D/absent/ --output $D/new.jsonl", 1, {"absent/", "no such file or folder"}},
    {"nag merge-shards $D/absent/ --output $D/new.nag", 1, {"absent/", "no such file or folder"}},
    {"nag slice --layers 5 $D/k5.nag --output $D/new.nag", 1, {"5", "0 to 1"}},
    {"nag slice --layers first $D/torn.nag --output $D/new.nag", 1, {"torn.nag"}},
    {"nag select --model $M --target $D/pool.jsonl --pool $D/pool.jsonl --fraction 2 --output $D/new.jsonl", 1, {"--fraction", "2"}},
    {"nag select --model $M --target $D/pool.jsonl --pool $D/pool.jsonl --output -", 1, {"--output -", "name a file"}},
    {"nag select --model $M --target $D/pool.jsonl --pool - --output $D/new.jsonl", 1, {"standard input"}},
    {"nag select --model $M --target $D/pool.jsonl --pool $D/broken.jsonl --output $D/new.jsonl", 1, {"golgi: nag select: ", "broken.jsonl:2"}},
    {"nag rank --target $D/k5.nag --pool $D/down.nag --output $D/new.jsonl", 1, {"k5.nag", "down.nag", "site"}},
    {"nag rank --target $D/torn.nag --pool $D/k5.nag --output $D/new.jsonl", 1, {"torn.nag"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --fraction 0 --output $D/new.jsonl", 1, {"--fraction", "0"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --fraction 1.5 --output $D/new.jsonl", 1, {"--fraction", "1.5"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --fraction x --output $D/new.jsonl", 2, {"--fraction", "x"}},
    {"nag rank --target $D/pool.jsonl --pool $D/k5.nag --output $D/new.jsonl", 1, {"pool.jsonl:1", "no column of features", "docid, doc", "golgi nag extract"}},
    {"nag rank --target $D/k5.nag --output $D/new.jsonl", 2, {"--pool"}},
    {"nag rank --tarpet $D/k5.nag", 2, {"--tarpet", "--target"}},
    {"nag rnak", 2, {"rnak", "rank"}},
    {"nga", 2, {"nga", "nag"}},
    {"nag", 2, {"extract", "rank", "select"}},
    {"nag -x", 2, {"-x", "golgi nag --help"}},
    {"nag rank -x", 2, {"-x", "golgi help nag rank"}},
    {"score --model $M --input $D/broken.jsonl --output $D/new.jsonl", 1, {"golgi: score: ", "broken.jsonl:2"}},
    {"activations --model $M --input $D/pool.jsonl --sites q_norm --output $D/new.safetensors", 1, {"q_norm", "golgi model sites"}},
    {"activations --model $M --input $D/pool.jsonl --layers 0-7 --output $D/new.safetensors", 1, {"layer 7", "0 to 1"}},
    {"activations --model $M --output $D/new.safetensors", 1, {"--input", "--ids"}},
    {"activations --model $M --input $D/pool.jsonl --output $D/new.npz", 1, {"new.npz", ".safetensors"}},
    {"activations --model $M --input $D/pool.jsonl --gradients loss --output $D/new.safetensors", 1, {"--gradients loss", "logit:ID"}},
    {"activations --model $M --input $D/pool.jsonl --gradients logit:7x --output $D/new.safetensors", 1, {"--gradients logit:7x", "logit:ID"}},
    {"activations --model $M --input $D/pool.jsonl --gradients logit:512 --output $D/new.safetensors", 1, {"token 512", "0 to 511"}},
    {"activations --model $M --input $D/pool.jsonl --gradients nll --dtype bf16 --output $D/new.safetensors", 1, {"computed in F32", "BF16"}},
    /* what is read is not written over */
    {"nag extract --model $M --input $D/pool.jsonl --output $D/pool.jsonl", 2, {"--output", "pool.jsonl", "--input", "written over"}},
    {"nag extract --model $M --input $D/pool.jsonl --output $D/folder/../pool.jsonl", 2, {"--input", "written over"}},
    {EXTRACT("$M", "$D/pool.jsonl --scores $D/pool.jsonl"), 2, {"--scores", "--input", "written over"}},
    {"nag rank --target $D/k5.nag --pool $D/k5.nag --payload $D/pay.jsonl --output $D/pay.jsonl", 2, {"--payload", "written over"}},
    {"nag merge $D/pool.jsonl $D/pay.jsonl --output $D/pay.jsonl", 2, {"SEL", "written over"}},
    {"nag slice --layers first $D/k5.nag --output $D/k5.nag", 2, {"k5.nag", "written over"}},
    {"nag select --model $M --target $D/pool.jsonl --pool $D/pay.jsonl --output $D/{}.jsonl", 1, {"{}.jsonl", "pool.jsonl", "written over"}},
    {"nag rank --targets pay=$D/k5.nag --pool $D/k5.nag --payload $D/pay.jsonl --output $D", 1, {"pay.jsonl", "written over"}},
    {"score --model $M --input $D/pool.jsonl --output $D/pool.jsonl", 2, {"--input", "written over"}},
    /* places that cannot be written: told before the model runs, and no folder of parts is left */
    {EXTRACT_TO("$D/nowhere/new.nag"), 1, {"nowhere/new.nag", "no folder", "mkdir -p"}},
    {EXTRACT_TO("$D/folder"), 1, {"folder"}},
    {EXTRACT_TO("$D/new.xyz"), 1, {"new.xyz", "expected .nag, .jsonl"}},
    {EXTRACT_TO("$D/new.csv.gz"), 1, {"new.csv.gz", "expected .nag, .jsonl"}},
    {"nag slice --layers first $D/k5.nag --output $D/new.tsv", 1, {"new.tsv", "expected .nag, .jsonl"}},
    {"nag show tests/golden/tinygguf/tiny.gguf", 1, {"tiny.gguf", "expected .nag, .jsonl"}},
    {EXTRACT_TO("/proc/self/new.nag"), 1, {"/proc/self/new.nag", "cannot write it"}},
    {"score --model $M --input $D/pool.jsonl --output /dev/full", 1, {"/dev/full", "expected .jsonl"}},
    {"score --model $M --input $D/pool.jsonl --output $D/nowhere/new.jsonl", 1, {"nowhere/new.jsonl", "no folder", "mkdir -p"}},
    {"activations --model $M --input $D/pool.jsonl --output /proc/self/new.safetensors", 1, {"/proc/self/new.safetensors", "cannot write it"}},
    {"nag select --model $M --target $D/pool.jsonl --pool $D/pool.jsonl --output $D/nowhere/new.jsonl", 1, {"nowhere/new.jsonl", "no folder"}},
    {"nag select --model $M --target $D/pool.jsonl --pool $D/pool.jsonl --output $D/new.xyz", 1, {"new.xyz", "expected .jsonl"}},
    {"tokenize --model $D/foreign.gguf $D/pool.jsonl", 1, {"foreign.gguf"}},
    {"model get gemma9", 1, {"gemma9", "gemma3-270m"}},
};

/* Files and folders whose name has "new", "nowhere" or "tmp" in it: what a failed run must not leave. */
static int new_files(void)
{
    struct dirent *e;
    int n = 0;
    DIR *d = opendir(D);
    while ((e = readdir(d)))
        n += strstr(e->d_name, "new") || strstr(e->d_name, "nowhere") || strstr(e->d_name, "tmp");
    closedir(d);
    return n;
}

static void each_mistake_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(&s, D, cases[i].words);
        bool fine = s.code == cases[i].code;
        for (int k = 0; k < 4 && cases[i].must[k]; k++)
            fine = fine && strstr(s.err, cases[i].must[k]);
        fine = fine && new_files() == 0;
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
    run(&s, D, "nag extract --model $M --input $D/blank.jsonl --output $D/blank.nag");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "1 empty document"));
    assert_non_null(strstr(s.err, "blank.jsonl:2"));
    run(&s, D, "nag extract --model $M --input $D/blanks.jsonl --output $D/blank.nag");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "13 empty documents"));
    assert_non_null(strstr(s.err, "blanks.jsonl:1, "));
    assert_non_null(strstr(s.err, "blanks.jsonl:11 and 3 more\n"));
    run(&s, D, "score --model $M --input $D/blank.jsonl --output $D/blank-scores.jsonl");
    assert_non_null(strstr(s.err, "blank.jsonl:2"));
    run(&s, D, "nag select --model $M --target $D/pool.jsonl --pool $D/blank.jsonl --output $D/blank-selected.jsonl");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "1 empty"));
    assert_non_null(strstr(s.err, "blank.jsonl:2"));
}

static void a_k_above_the_width_is_clamped_with_a_warning(void **state)
{
    (void)state;
    run(&s, D, "nag extract --model $M --input $D/pool.jsonl --output $D/wide.nag --top-k 1000");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "warning"));
    assert_non_null(strstr(s.err, "96"));
}

/* --- places that are full or closed ------------------------------------------------------------------------------------- */

static void must_fail(const char *line, const char *says, const char *says_too)
{
    run_line(&s, D, line);
    if (s.code != 1 || !strstr(s.err, says) || !strstr(s.err, says_too) || new_files() != 0)
        fail_msg("%s: exit %d, %d new files: %s", line, s.code, new_files(), s.err);
}

static void a_file_beyond_the_limit_is_a_failed_write(void **state)
{
    (void)state;
    /* GCOV_PREFIX: what make coverage counts would be cut off, too, and nobody could add to it */
    must_fail("ulimit -f 1; GCOV_PREFIX=/dev/null $G activations --model $M --input $D/pool.jsonl --output $D/new.safetensors", "new.safetensors", "ulimit -f");
    must_fail("ulimit -f 1; GCOV_PREFIX=/dev/null $G nag extract --model $M --input $D/pool.jsonl --top-k 60 --sites up,down,q,k,v,o --output $D/new.nag",
              "new.nag", "ulimit -f");
}

static void a_full_disk_leaves_nothing_and_says_so(void **state)
{
    (void)state;
    run_line(&s, D, "mkdir $D/small; unshare -rm mount -t tmpfs none $D/small"); /* in a space of names of its own, which ends with it */
    if (s.code != 0)
        skip(); /* not everyone may */
    static const char *const lines[] = {
        "activations --model $M --input $D/pool.jsonl --output $D/small/new.safetensors",
        "nag extract --model $M --input $D/pool.jsonl --top-k 90 --sites up,down,q,k,v,o --output $D/small/new.nag",
        "nag select --model $M --target $D/pool.jsonl --pool $D/pool.jsonl --top-k 90 --output $D/small/new.jsonl",
        "nag slice --layers first $D/k5.nag --output $D/small/new.nag",
        "nag merge $D/pool.jsonl --output $D/small/new.jsonl",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) { /* one page, and that is taken */
        char line[1024];
        snprintf(line, sizeof line, "unshare -rm sh -c 'mount -t tmpfs -o size=4k,nr_inodes=9 none $0/small && echo x > $0/small/taken; D=$0 G=$1 M=$2; $G %s; "
                                    "r=$?; ls -A $0/small >&2; exit $r' $D $G $M", lines[i]);
        run_line(&s, D, line);
        if (s.code != 1 || !strstr(s.err, "Free some space") || !strstr(s.err, "\ntaken\n") || strstr(s.err, "tmp\n"))
            fail_msg("%s: exit %d: %s", lines[i], s.code, s.err);
    }
}

static void a_closed_folder_is_told_with_the_way_out(void **state)
{
    (void)state;
    /* root may write everywhere, so the program is run as nobody there */
    run_line(&s, D, "mkdir $D/closed && chmod 555 $D/closed && chmod 711 $D");
    const char *as = geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : "";
    char line[512];
    snprintf(line, sizeof line, "%s$G version", as);
    run_line(&s, D, line);
    if (s.code != 0)
        skip(); /* the program is where nobody cannot reach it */
    snprintf(line, sizeof line, "%s$G nag extract --model $M --input $D/pool.jsonl --output $D/closed/new.nag", as);
    must_fail(line, "closed/new.nag: cannot write it: Permission denied", "name another place");
    snprintf(line, sizeof line, "%s$G score --model $M --input $D/pool.jsonl --output $D/closed/new.jsonl", as);
    must_fail(line, "closed/new.jsonl", "Permission denied");
    run_line(&s, D, "test -z \"$(ls -A $D/closed)\"");
    assert_int_equal(s.code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_told_and_leaves_nothing),
        cmocka_unit_test(an_empty_document_is_skipped_counted_and_listed),
        cmocka_unit_test(a_k_above_the_width_is_clamped_with_a_warning),
        cmocka_unit_test(a_file_beyond_the_limit_is_a_failed_write),
        cmocka_unit_test(a_full_disk_leaves_nothing_and_says_so),
        cmocka_unit_test(a_closed_folder_is_told_with_the_way_out),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
