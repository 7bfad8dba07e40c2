/* Names of sites and neurons: every tradition's spelling leads to the same neuron, and a wrong one is refused with a hint. */
#include "support.h"
#include <golgi/site.h>

static void every_name_and_alias_is_its_site(void **state)
{
    static const struct { gg_site site; const char *words; } table[] = {
#define GG_X(code, name, aliases) {GG_SITE_##code, #name "," aliases},
        GG_SITE_MAP(GG_X)
#undef GG_X
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char copy[512], *save = NULL;
        snprintf(copy, sizeof copy, "%s", table[i].words);
        for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
            gg_site s = GG_SITE_COUNT;
            assert_int_equal(gg_site_parse(&s, *state, w), GG_OK);
            assert_int_equal(s, table[i].site); /* fails too when two sites share an alias */
        }
    }
}

static void one_neuron_has_many_spellings(void **state)
{
    static const char *const spellings[] = {"L12.up[345]", "blocks.12.mlp.hook_pre_linear[345]", "model.layers.12.mlp.up_proj[345]",
                                            "blk.12.ffn_up[345]", "layers.12.up_proj[345]", "transformer.h.12.mlp.c_fc[345]",
                                            "gpt_neox.layers.12.mlp.dense_h_to_4h[345]", "h.12.up[345]"};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        gg_neuron n = {0};
        char name[64];
        assert_int_equal(gg_neuron_parse(&n, *state, spellings[i]), GG_OK);
        gg_neuron_name(name, sizeof name, n);
        assert_string_equal(name, "L12.up[345]");
    }
}

static void a_site_without_index_and_sites_that_come_once(void **state)
{
    gg_neuron n;
    char name[64];
    assert_int_equal(gg_neuron_parse(&n, *state, "L0.resid_out"), GG_OK);
    assert_true(n.layer == 0 && n.site == GG_SITE_RESID_OUT && n.index == -1);
    assert_int_equal(gg_neuron_parse(&n, *state, "lm_head[17]"), GG_OK);
    gg_neuron_name(name, sizeof name, n);
    assert_string_equal(name, "logits[17]");
    assert_int_equal(n.layer, -1);
    assert_int_equal(gg_neuron_parse(&n, *state, "model.norm"), GG_OK);
    assert_int_equal(n.site, GG_SITE_FINAL);
}

static void wrong_names_are_refused_with_a_reason(void **state)
{
    static const struct { const char *text; gg_status status; const char *says; } table[] = {
        {"", GG_EINVAL, "expected a name like"},
        {"L3", GG_ENOENT, "L3"},
        {"L3.", GG_ENOENT, "no site"},
        {"L3.upp", GG_ENOENT, "did you mean \"up\""},
        {"L3.up[", GG_EINVAL, "brackets"},
        {"L3.up[]", GG_EINVAL, "brackets"},
        {"L3.up[x]", GG_EINVAL, "brackets"},
        {"L3.up[3]]", GG_EINVAL, "brackets"},
        {"L3.up[3", GG_EINVAL, "brackets"},
        {"L3.up[-3]", GG_EINVAL, "brackets"},
        {"L3.up[99999999999999999999]", GG_EINVAL, "brackets"},
        {"L99999999999999999999.up[3]", GG_EINVAL, "expected a name like"},
        {"up[3]", GG_EINVAL, "names no layer"},
        {"up", GG_EINVAL, "names no layer"},
        {"model.layers.up", GG_EINVAL, "expected a name like"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_neuron n;
        assert_int_equal(gg_neuron_parse(&n, *state, table[i].text), table[i].status);
        assert_text_has(gg_message(*state), table[i].says);
    }
}

static void lists_of_sites(void **state)
{
    uint32_t mask = 0;
    assert_int_equal(gg_site_list_parse(&mask, *state, "up, down,att_q"), GG_OK);
    assert_int_equal(mask, 1u << GG_SITE_UP | 1u << GG_SITE_MLP_OUT | 1u << GG_SITE_Q);
    assert_int_equal(gg_site_list_parse(&mask, *state, "up,,q"), GG_ENOENT);
    assert_int_equal(gg_site_list_parse(&mask, *state, ""), GG_ENOENT);
    assert_int_equal(mask, 1u << GG_SITE_UP | 1u << GG_SITE_MLP_OUT | 1u << GG_SITE_Q);
}

static void lists_of_layers(void **state)
{
    static const struct { const char *text, *on; } good[] = {
        {"0-3,7", "1111000100"}, {"first", "1000000000"}, {"last", "0000000001"}, {"all", "1111111111"}, {"2, 4 ,last", "0010100001"}, {"9", "0000000001"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        bool on[10];
        assert_int_equal(gg_layer_list_parse(on, *state, good[i].text, 10), GG_OK);
        for (int l = 0; l < 10; l++)
            assert_int_equal(on[l], good[i].on[l] == '1');
    }
    static const struct { const char *text, *says; } bad[] = {
        {"10", "no layer 10: the layers are 0 to 9"}, {"0-12", "no layer 12"}, {"3-1", "3-1"}, {"", "not a list"}, {"x", "\"x\""}, {"1,,2", "not a list"},
        {"-1", "-1"}, {"1-", "1-"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool on[10] = {true};
        assert_int_equal(gg_layer_list_parse(on, *state, bad[i].text, 10), GG_EINVAL);
        assert_text_has(gg_message(*state), bad[i].says);
        assert_true(on[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_and_alias_is_its_site), cmocka_unit_test(one_neuron_has_many_spellings),
        cmocka_unit_test(a_site_without_index_and_sites_that_come_once), cmocka_unit_test(wrong_names_are_refused_with_a_reason),
        cmocka_unit_test(lists_of_sites), cmocka_unit_test(lists_of_layers),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
