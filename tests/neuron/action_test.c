/* Actions: what is done, in which order, what a file may say, and what a bad one is told. */
#include "support.h"
#include <golgi/action.h>
#include <math.h>

#define FILE_OF(list) "{\"golgi\": \"action\", \"version\": 1, \"actions\": [" list "]}"

static gg_actions *read_list(gg_context *ctx, const char *text)
{
    gg_actions *a = NULL;
    const gg_status s = gg_actions_read(&a, ctx, write_text_file("a.json", text));
    if (s != GG_OK)
        fail_msg("%s", gg_message(ctx));
    return a;
}

/* Three layers of up (8 wide) and resid_out (4), final 4, logits 10. */
static int64_t width(void *user, int layer, gg_site site)
{
    (void)user;
    assert_in_range(layer, 0, 3);
    switch (site) {
    case GG_SITE_UP: return 8;
    case GG_SITE_RESID_OUT: return 4;
    case GG_SITE_FINAL: return 4;
    case GG_SITE_LOGITS: return 10;
    default: return 0;
    }
}

static void actions_are_done_in_the_order_given(void **state)
{
    gg_actions *a = read_list(*state, FILE_OF("{\"neurons\": [\"L1.up[0-1]\", \"L1.up[3]\"], \"operation\": \"set\", \"value\": 2},"
                                              "{\"site\": \"L1.up\", \"index\": [1, 3], \"operation\": \"scale\", \"value\": 0.5},"
                                              "{\"neurons\": \"L1.up[3]\", \"operation\": \"add\", \"value\": -3},"
                                              "{\"neurons\": [\"blk.1.ffn_up[5]\"], \"operation\": \"zero\"}"));
    assert_int_equal(gg_actions_count(a), 7);
    assert_int_equal(gg_actions_check(a, NULL, 3, width, NULL), GG_OK);
    float x[2][8];
    for (int i = 0; i < 16; i++)
        x[i / 8][i % 8] = (float)(i + 1);
    gg_actions_apply(a, 1, GG_SITE_UP, x[0], 2, 8);
    const float want[2][8] = {{2, 1, 3, -2, 5, 0, 7, 8}, {2, 1, 11, -2, 13, 0, 15, 16}};
    assert_memory_equal(x, want, sizeof want);
    gg_actions_apply(a, 0, GG_SITE_UP, x[0], 2, 8); /* nothing is done there */
    gg_actions_apply(a, 1, GG_SITE_HID, x[0], 2, 8);
    assert_memory_equal(x, want, sizeof want);
    assert_true(gg_actions_at(a, 1, GG_SITE_UP));
    assert_false(gg_actions_at(a, 2, GG_SITE_UP));
    assert_false(gg_actions_at(NULL, 1, GG_SITE_UP));
    gg_actions_free(a);
}

static void a_whole_site_and_sites_that_come_once(void **state)
{
    gg_actions *a = read_list(*state, FILE_OF("{\"neurons\": [\"L2.resid_out\"], \"operation\": \"zero\"},"
                                              "{\"site\": \"logits\", \"index\": [9], \"operation\": \"set\", \"value\": -100},"
                                              "{\"site\": \"L3.final\", \"operation\": \"scale\", \"value\": 2}"));
    assert_int_equal(gg_actions_check(a, NULL, 3, width, NULL), GG_OK);
    float x[4] = {1, 2, 3, 4}, y[10] = {0};
    gg_actions_apply(a, 2, GG_SITE_RESID_OUT, x, 1, 4);
    assert_true(x[0] == 0 && x[3] == 0);
    gg_actions_apply(a, 3, GG_SITE_LOGITS, y, 1, 10);
    assert_true(y[9] == -100 && y[8] == 0);
    assert_true(gg_actions_at(a, 3, GG_SITE_FINAL));
    gg_actions_free(a);
}

static void the_same_list_has_one_hash_however_it_is_spelled(void **state)
{
    char h[4][65];
    const char *const texts[4] = {
        FILE_OF("{\"neurons\": [\"L1.up[3-5]\", \"L0.up[7]\"], \"operation\": \"zero\"}"),
        FILE_OF("{\"site\": \"blk.0.ffn_up\", \"index\": [7], \"operation\": \"zero\"}, {\"site\": \"L1.up\", \"index\": [3, 4, 5], \"operation\": \"zero\"}"),
        FILE_OF("{\"neurons\": [\"L1.up[3-5]\", \"L0.up[6]\"], \"operation\": \"zero\"}"),
        FILE_OF(""),
    };
    for (int i = 0; i < 4; i++) {
        gg_actions *a = read_list(*state, texts[i]);
        gg_actions_hash(a, h[i]);
        gg_actions_free(a);
    }
    assert_int_equal(strlen(h[0]), 64);
    assert_string_equal(h[0], h[1]);
    assert_string_not_equal(h[0], h[2]);
    assert_string_equal(h[3], "");
    gg_actions_hash(NULL, h[0]);
    assert_string_equal(h[0], "");
}

static void what_is_written_reads_back(void **state)
{
    gg_actions *a = NULL, *b = NULL;
    char ha[65], hb[65], model[65];
    memset(model, 'a', 64);
    model[64] = 0;
    assert_int_equal(gg_actions_create(&a, *state), GG_OK);
    for (int i = 0; i < 300; i++)
        assert_int_equal(gg_actions_add(a, (gg_neuron){i % 7, i % 2 ? GG_SITE_UP : GG_SITE_Q, (i * 37) % 101}, (gg_operation)(i % 4), 0.1f * (float)i), GG_OK);
    assert_int_equal(gg_actions_add(a, (gg_neuron){-1, GG_SITE_LOGITS, 3}, GG_OP_SET, 1e-30f), GG_OK);
    assert_int_equal(gg_actions_add(a, (gg_neuron){4, GG_SITE_Z, -1}, GG_OP_ZERO, 0), GG_OK);
    assert_int_equal(gg_actions_write(a, at("b.json"), model), GG_OK);
    assert_int_equal(gg_actions_read(&b, *state, at("b.json")), GG_OK);
    gg_actions_hash(a, ha);
    gg_actions_hash(b, hb);
    assert_string_equal(ha, hb);
    assert_int_equal(gg_actions_count(a), gg_actions_count(b));
    assert_int_equal(gg_actions_write(b, at("b.json"), "abc"), GG_EINVAL);
    gg_actions_free(a);
    gg_actions_free(b);
}

static void actions_that_do_not_fit_the_model_are_refused(void **state)
{
    static const struct { const char *text; gg_status status; const char *says; } table[] = {
        {FILE_OF("{\"neurons\": [\"L1.up[6-12]\"], \"operation\": \"zero\"}"), GG_ENOENT, "L1.up has 8 neurons"},
        {FILE_OF("{\"neurons\": [\"L1.up[6-12]\"], \"operation\": \"zero\"}"), GG_ENOENT, "a.json names 8..12"},
        {FILE_OF("{\"neurons\": [\"L1.up[8]\"], \"operation\": \"zero\"}"), GG_ENOENT, "a.json names 8"},
        {FILE_OF("{\"neurons\": [\"L3.up[0]\"], \"operation\": \"zero\"}"), GG_ENOENT, "layers 0 to 2"},
        {FILE_OF("{\"neurons\": [\"L0.gate[0]\"], \"operation\": \"zero\"}"), GG_ENOENT, "no site gate"},
        {FILE_OF("{\"neurons\": [\"L1.final[0]\"], \"operation\": \"zero\"}"), GG_ENOENT, "comes once"},
        {"{\"golgi\": \"action\", \"version\": 1, \"model\": \"0123456789abcdef\", \"actions\": []}", GG_EMISMATCH, "was made for the model 0123456789ab"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_actions *a = read_list(*state, table[i].text);
        assert_int_equal(gg_actions_check(a, "1123456789abcdef1123456789abcdef", 3, width, NULL), table[i].status);
        assert_text_has(gg_message(*state), table[i].says);
        gg_actions_free(a);
    }
}

static void bad_files_are_told_what_is_wrong(void **state)
{
    static const struct { const char *text; gg_status status; const char *says; } table[] = {
        {"", GG_EFORMAT, "a.json:1:1: the action file is no valid JSON: expected a value, found the end"},
        {"{\"golgi\": \"action\",\n \"version\": 1,,}", GG_EFORMAT, "a.json:2:"},
        {"{\"golgi\": \"action\", \"golgi\": \"action\"}", GG_EFORMAT, "duplicate"},
        {"[]", GG_EFORMAT, "not an action file"},
        {"{\"golgi\": \"nag\", \"version\": 1, \"actions\": []}", GG_EFORMAT, "not an action file"},
        {"{\"golgi\": \"action\", \"version\": 2, \"actions\": []}", GG_EUNSUPPORTED, "\"version\" must be 1"},
        {"{\"golgi\": \"action\", \"version\": 1}", GG_EFORMAT, "\"actions\" must be a list"},
        {"{\"golgi\": \"action\", \"version\": 1, \"model\": \"xyz\", \"actions\": []}", GG_EFORMAT, "SHA-256"},
        {FILE_OF("3"), GG_EFORMAT, "actions[0]: expected an object"},
        {FILE_OF("{\"neurons\": [\"L0.up[1]\"], \"operation\": \"zero\"}, {\"operation\": \"zero\"}"), GG_EFORMAT, "actions[1]: expected either"},
        {FILE_OF("{\"neurons\": [\"L0.up[1]\"], \"operation\": \"explode\"}"), GG_EFORMAT, "\"explode\" is not known; there are zero, scale, set, add"},
        {FILE_OF("{\"neurons\": [\"L0.up[1]\"]}"), GG_EFORMAT, "operation"},
        {FILE_OF("{\"neurons\": [\"L0.up[1]\"], \"operation\": \"scale\"}"), GG_EFORMAT, "scale needs a number"},
        {FILE_OF("{\"neurons\": [\"L0.up[1]\"], \"operation\": \"scale\", \"value\": \"2\"}"), GG_EFORMAT, "scale needs a number"},
        {FILE_OF("{\"neurons\": [\"L0.up[1]\"], \"operation\": \"set\", \"value\": 1e300}"), GG_ENAN, "too large"},
        {FILE_OF("{\"neurons\": [\"L0.up[1]\"], \"operation\": \"zero\", \"value\": 2}"), GG_EFORMAT, "zero takes no"},
        {FILE_OF("{\"neurons\": [\"L0.up[1]\"], \"operation\": \"zero\", \"vale\": 2}"), GG_EFORMAT, "unknown key \"vale\""},
        {FILE_OF("{\"neurons\": [], \"operation\": \"zero\"}"), GG_EFORMAT, "must be a list of names"},
        {FILE_OF("{\"neurons\": [7], \"operation\": \"zero\"}"), GG_EFORMAT, "neurons[0]"},
        {FILE_OF("{\"neurons\": [\"L0.up[5-1]\"], \"operation\": \"zero\"}"), GG_EINVAL, "runs backwards"},
        {FILE_OF("{\"neurons\": [\"L0.up[1-]\"], \"operation\": \"zero\"}"), GG_EINVAL, "brackets"},
        {FILE_OF("{\"neurons\": [\"L0.upp[1]\"], \"operation\": \"zero\"}"), GG_ENOENT, "did you mean"},
        {FILE_OF("{\"site\": 4, \"operation\": \"zero\"}"), GG_EFORMAT, "\"site\" must be a text"},
        {FILE_OF("{\"site\": \"L0.up[3]\", \"index\": [1], \"operation\": \"zero\"}"), GG_EFORMAT, "belongs into \"index\""},
        {FILE_OF("{\"site\": \"L0.up\", \"index\": [], \"operation\": \"zero\"}"), GG_EFORMAT, "\"index\" must be a list"},
        {FILE_OF("{\"site\": \"L0.up\", \"index\": [-1], \"operation\": \"zero\"}"), GG_EFORMAT, "index[0]"},
        {FILE_OF("{\"site\": \"L0.up\", \"index\": [1.5], \"operation\": \"zero\"}"), GG_EFORMAT, "index[0]"},
        {FILE_OF("{\"site\": \"L0.up\", \"neurons\": [\"L0.up[1]\"], \"operation\": \"zero\"}"), GG_EFORMAT, "expected either"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_actions *a = NULL;
        assert_int_equal(gg_actions_read(&a, *state, write_text_file("a.json", table[i].text)), table[i].status);
        assert_text_has(gg_message(*state), table[i].says);
        assert_text_has(gg_message(*state), "a.json");
        assert_null(a);
    }
    gg_actions *a = NULL;
    assert_int_equal(gg_actions_read(&a, *state, at("absent.json")), GG_ENOENT);
}

static int begin(void **state) { return folder_make("action") || make_context(state); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_are_done_in_the_order_given), cmocka_unit_test(a_whole_site_and_sites_that_come_once),
        cmocka_unit_test(the_same_list_has_one_hash_however_it_is_spelled), cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(actions_that_do_not_fit_the_model_are_refused), cmocka_unit_test(bad_files_are_told_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, begin, drop_context_and_folder);
}
