/* Names of tensors. Owns: one table for each tradition of naming; the loader asks for slots and never spells a name. */
#include "model/model.h"
#include <stdio.h>
#include <string.h>

#define TRUNK .prefix = "model.", .block = "layers.%d."
#define LLAMA_ATTENTION                                                                                              \
    [GG__Q] = "self_attn.q_proj", [GG__K] = "self_attn.k_proj", [GG__V] = "self_attn.v_proj", [GG__O] = "self_attn.o_proj", \
    [GG__Q_NORM] = "self_attn.q_norm", [GG__K_NORM] = "self_attn.k_norm"
#define LLAMA_ONCE [GG__EMBEDDING] = "embed_tokens", [GG__FINAL_NORM] = "norm", [GG__HEAD] = "lm_head"
#define LLAMA_MLP [GG__GATE] = "mlp.gate_proj", [GG__UP] = "mlp.up_proj", [GG__DOWN] = "mlp.down_proj"

const gg__names gg__names_llama = {
    TRUNK, .slot = {LLAMA_ONCE, LLAMA_ATTENTION, LLAMA_MLP,
                    [GG__ATTN_PRE] = "input_layernorm", [GG__MLP_PRE] = "post_attention_layernorm"}};

const gg__names gg__names_gemma = {
    TRUNK, .slot = {LLAMA_ONCE, LLAMA_ATTENTION, LLAMA_MLP,
                    [GG__ATTN_PRE] = "input_layernorm", [GG__ATTN_POST] = "post_attention_layernorm",
                    [GG__MLP_PRE] = "pre_feedforward_layernorm", [GG__MLP_POST] = "post_feedforward_layernorm"}};

const gg__names gg__names_olmo2 = {
    TRUNK, .slot = {LLAMA_ONCE, LLAMA_ATTENTION, LLAMA_MLP,
                    [GG__ATTN_POST] = "post_attention_layernorm", [GG__MLP_POST] = "post_feedforward_layernorm"}};

const gg__names gg__names_phi3 = {
    TRUNK, .slot = {LLAMA_ONCE, [GG__ATTN_PRE] = "input_layernorm", [GG__MLP_PRE] = "post_attention_layernorm",
                    [GG__QKV] = "self_attn.qkv_proj", [GG__O] = "self_attn.o_proj",
                    [GG__GATE_UP] = "mlp.gate_up_proj", [GG__DOWN] = "mlp.down_proj"}};

const gg__names gg__names_gpt2 = {
    .prefix = "transformer.", .block = "h.%d.", .conv1d = true,
    .slot = {[GG__EMBEDDING] = "wte", [GG__POSITIONS] = "wpe", [GG__FINAL_NORM] = "ln_f", [GG__HEAD] = "lm_head",
             [GG__ATTN_PRE] = "ln_1", [GG__MLP_PRE] = "ln_2", [GG__QKV] = "attn.c_attn", [GG__O] = "attn.c_proj",
             [GG__UP] = "mlp.c_fc", [GG__DOWN] = "mlp.c_proj"}};

const gg__names gg__names_gptneox = {
    .prefix = "gpt_neox.", .block = "layers.%d.", .qkv_by_head = true,
    .slot = {[GG__EMBEDDING] = "embed_in", [GG__FINAL_NORM] = "final_layer_norm", [GG__HEAD] = "embed_out",
             [GG__ATTN_PRE] = "input_layernorm", [GG__MLP_PRE] = "post_attention_layernorm",
             [GG__QKV] = "attention.query_key_value", [GG__O] = "attention.dense",
             [GG__UP] = "mlp.dense_h_to_4h", [GG__DOWN] = "mlp.dense_4h_to_h"}};

/* One table for all: GGUF gives the same thing the same name. What is fused shows in which tensors are there (phi3 keeps gate
 * and up together in ffn_up). The converter has put GPT-NeoX's fused rows in the order q, k, v and has transposed GPT-2's. */
const gg__names gg__names_gguf = {
    .prefix = "", .block = "blk.%d.",
    .slot = {[GG__EMBEDDING] = "token_embd", [GG__POSITIONS] = "position_embd", [GG__FINAL_NORM] = "output_norm", [GG__HEAD] = "output",
             [GG__ATTN_PRE] = "attn_norm", [GG__ATTN_POST] = "post_attention_norm",
             [GG__MLP_PRE] = "ffn_norm", [GG__MLP_POST] = "post_ffw_norm",
             [GG__Q] = "attn_q", [GG__K] = "attn_k", [GG__V] = "attn_v", [GG__QKV] = "attn_qkv",
             [GG__Q_NORM] = "attn_q_norm", [GG__K_NORM] = "attn_k_norm", [GG__O] = "attn_output",
             [GG__GATE] = "ffn_gate", [GG__UP] = "ffn_up", [GG__GATE_UP] = "ffn_up", [GG__DOWN] = "ffn_down"}};

bool gg__model_tensor_name(char *out, size_t n, const gg_model *m, gg__slot slot, int layer, const char *ending)
{
    const char *name = m->names->slot[slot];
    char block[32] = "";
    if (!name)
        return false;
    if (slot >= GG__ATTN_PRE) { /* "layers.%d." with the number put in */
        const char *percent = strstr(m->names->block, "%d");
        snprintf(block, sizeof block, "%.*s%d%s", (int)(percent - m->names->block), m->names->block, layer, percent + 2);
    }
    snprintf(out, n, "%s%s%s.%s", slot == GG__HEAD ? "" : m->prefix, block, name, ending);
    return true;
}

const gg_tensor *gg__model_tensor(const gg_model *m, gg__slot slot, int layer, const char *ending)
{
    char name[160];
    return gg__model_tensor_name(name, sizeof name, m, slot, layer, ending) ? gg_tensors_find(m->tensors, name) : NULL;
}
