/* The files that the fuzzers start from (tests/fuzz/corpus) and those that once broke something (tests/fuzz/found) go through the same functions in
 * every build. A file passes when nothing crashes, nothing is read outside its bytes (sanitizers) and all memory comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include "fuzz/fuzz.h"

/* Each program's fuzz_one and entry under a name of its own. */
#define fuzz_one action_one
#define LLVMFuzzerTestOneInput action_input
#include "fuzz/action_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one config_one
#define LLVMFuzzerTestOneInput config_input
#include "fuzz/config_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one csv_one
#define LLVMFuzzerTestOneInput csv_input
#include "fuzz/csv_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one gguf_one
#define LLVMFuzzerTestOneInput gguf_input
#include "fuzz/gguf_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one idx_one
#define LLVMFuzzerTestOneInput idx_input
#include "fuzz/idx_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one jsonl_one
#define LLVMFuzzerTestOneInput jsonl_input
#include "fuzz/jsonl_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one jsonlgz_one
#define LLVMFuzzerTestOneInput jsonlgz_input
#include "fuzz/jsonlgz_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one jsonlzst_one
#define LLVMFuzzerTestOneInput jsonlzst_input
#include "fuzz/jsonlzst_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one model_one
#define LLVMFuzzerTestOneInput model_input
#include "fuzz/model_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one nag_one
#define LLVMFuzzerTestOneInput nag_input
#include "fuzz/nag_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one nagrows_one
#define LLVMFuzzerTestOneInput nagrows_input
#include "fuzz/nagrows_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one npy_one
#define LLVMFuzzerTestOneInput npy_input
#include "fuzz/npy_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one npz_one
#define LLVMFuzzerTestOneInput npz_input
#include "fuzz/npz_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one pnm_one
#define LLVMFuzzerTestOneInput pnm_input
#include "fuzz/pnm_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one rank_one
#define LLVMFuzzerTestOneInput rank_input
#include "fuzz/rank_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one safetensors_one
#define LLVMFuzzerTestOneInput safetensors_input
#include "fuzz/safetensors_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one table_one
#define LLVMFuzzerTestOneInput table_input
#include "fuzz/table_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput text_input
#include "fuzz/text_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define fuzz_one train_one
#define LLVMFuzzerTestOneInput train_input
#include "fuzz/train_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput
#define fuzz_one tokenizer_one
#define LLVMFuzzerTestOneInput tokenizer_input
#include "fuzz/tokenizer_fuzz.c"
#undef fuzz_one
#undef LLVMFuzzerTestOneInput

static const struct {
    const char *name;
    int (*input)(const uint8_t *data, size_t n);
} targets[] = {
    {"action", action_input},
    {"config", config_input},
    {"csv", csv_input},
    {"gguf", gguf_input},
    {"idx", idx_input},
    {"jsonl", jsonl_input},
    {"jsonlgz", jsonlgz_input},
    {"jsonlzst", jsonlzst_input},
    {"model", model_input},
    {"nag", nag_input},
    {"nagrows", nagrows_input},
    {"npy", npy_input},
    {"npz", npz_input},
    {"pnm", pnm_input},
    {"rank", rank_input},
    {"safetensors", safetensors_input},
    {"table", table_input},
    {"text", text_input},
    {"tokenizer", tokenizer_input},
    {"train", train_input},
};

static int replay_file(int (*input)(const uint8_t *data, size_t n), const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    const size_t n = (size_t)ftell(f);
    rewind(f);
    uint8_t *data = malloc(n + 1); /* of its very size, so that a byte too far is seen */
    uint8_t *exact = malloc(n ? n : 1);
    assert_true(data && exact && fread(data, 1, n + 1, f) == n);
    memcpy(exact, data, n);
    free(data);
    fclose(f);
    printf("# %s\n", path); /* the last one said is the one that crashed */
    fflush(stdout);
    const int r = input(exact, n);
    free(exact);
    return r;
}

static int replay_folder(int (*input)(const uint8_t *data, size_t n), const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[512];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%.255s", folder, e->d_name);
        assert_int_equal(replay_file(input, path), 0);
        n++;
    }
    if (d)
        closedir(d);
    return n;
}

static void kept_files_break_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        char folder[128];
        snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", targets[i].name);
        const int n = replay_folder(targets[i].input, folder);
        if (n == 0)
            fail_msg("no seeds in %s", folder);
        snprintf(folder, sizeof folder, "tests/fuzz/found/%s", targets[i].name);
        replay_folder(targets[i].input, folder);
    }
}

/* A fuzz program that nobody replays would keep its finds for itself. */
static void every_fuzz_program_is_replayed(void **state)
{
    (void)state;
    DIR *d = opendir("tests/fuzz");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        const char *end = strstr(e->d_name, "_fuzz.c");
        bool known = !end;
        for (size_t i = 0; i < sizeof targets / sizeof *targets && !known; i++)
            known = strlen(targets[i].name) == (size_t)(end - e->d_name) && strncmp(e->d_name, targets[i].name, (size_t)(end - e->d_name)) == 0;
        if (!known)
            fail_msg("%s is not in the table of replay_test.c", e->d_name);
    }
    closedir(d);
}

/* What was once a crash, cut anywhere, and a little longer than it says, is no crash either. */
static void seeds_cut_anywhere_break_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int (*input)(const uint8_t *data, size_t n);
        size_t step;
    } some[] = {{"tests/fuzz/corpus/gguf/keys.gguf", gguf_input, 7}, {"tests/fuzz/corpus/safetensors/two.safetensors", safetensors_input, 3},
                {"tests/fuzz/corpus/npz/deflated.npz", npz_input, 5}, {"tests/fuzz/corpus/nag/three.nag", nag_input, 5},
                {"tests/fuzz/corpus/jsonlzst/rows.jsonl.zst", jsonlzst_input, 3}, {"tests/fuzz/corpus/jsonlgz/members.jsonl.gz", jsonlgz_input, 3},
                {"tests/fuzz/corpus/tokenizer/unigram.json", tokenizer_input, 31}, {"tests/fuzz/corpus/action/values.json", action_input, 5}};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        FILE *f = fopen(some[i].path, "rb");
        static uint8_t whole[1 << 16];
        assert_non_null(f);
        const size_t n = fread(whole, 1, sizeof whole, f);
        fclose(f);
        for (size_t cut = 0; cut < n; cut += some[i].step) {
            uint8_t *part = malloc(cut ? cut : 1);
            memcpy(part, whole, cut);
            some[i].input(part, cut);
            free(part);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fuzz_program_is_replayed),
        cmocka_unit_test(kept_files_break_nothing),
        cmocka_unit_test(seeds_cut_anywhere_break_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
