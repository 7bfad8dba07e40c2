/* golgi/site.h - where a neuron lives and what it is called: L12.up[345]. Floor 4.
 *
 *     #include <golgi/site.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         gg_context *ctx = NULL;
 *         gg_neuron n;
 *         char name[64] = "";
 *         gg_context_create(&ctx, NULL);
 *         if (gg_neuron_parse(&n, ctx, "model.layers.12.mlp.up_proj[345]") == GG_OK) // or "blocks.12.mlp.hook_pre_linear[345]", "L12.up[345]"
 *             gg_neuron_name(name, sizeof name, n);
 *         puts(name); // L12.up[345]
 *         gg_context_free(ctx);
 *         return name[0] == 0;
 *     }
 *
 * One decoder block, in the order of computation (pre-norm; n = tokens of a document):
 *     resid_in (n, d_model)   what enters the block
 *     q, k, v                 outputs of the three projections, before q/k norm and RoPE; (n, heads d_head), k and v: (n, kv_heads d_head)
 *     q_norm, k_norm          after the per-head (or full) q/k norm, before RoPE; only where the family has that norm
 *     z (n, heads d_head)     attention-weighted values, input of the output projection
 *     attn_out (n, d_model)   output of the output projection, before any norm that follows it
 *     gate, up (n, d_ff)      outputs of the two MLP projections; a family without gates has only `up`
 *     act (n, d_ff)           f(gate), or f(up) without gates
 *     hid (n, d_ff)           act * up, or act without gates: input of the down projection
 *     mlp_out (n, d_model)    output of the down projection, before any norm that follows it
 *     resid_out (n, d_model)  what leaves the block
 * and once, with layer = n_layers: final (n, d_model) after the last norm, logits (n, n_vocab). Their names may leave the layer out
 * ("final[3]", "lm_head[17]"); a gg_neuron read from such a name has layer -1.
 */
#ifndef GOLGI_SITE_H
#define GOLGI_SITE_H
#include <golgi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* name; aliases, comma-separated: TransformerLens hook in a block, Hugging Face module in a layer, GGUF tensor in a block, short forms */
#define GG_SITE_MAP(X)                                                                                                        \
    X(RESID_IN, resid_in, "hook_resid_pre,resid_pre")                                                                         \
    X(Q, q, "attn.hook_q,self_attn.q_proj,q_proj,attn_q,att_q")                                                               \
    X(K, k, "attn.hook_k,self_attn.k_proj,k_proj,attn_k,att_k")                                                               \
    X(V, v, "attn.hook_v,self_attn.v_proj,v_proj,attn_v,att_v")                                                               \
    X(Q_NORM, q_norm, "self_attn.q_norm,attn_q_norm")                                                                         \
    X(K_NORM, k_norm, "self_attn.k_norm,attn_k_norm")                                                                         \
    X(Z, z, "attn.hook_z,hook_z")                                                                                             \
    X(ATTN_OUT, attn_out, "hook_attn_out,self_attn.o_proj,o_proj,self_attn.dense,attention.dense,attn.c_proj,attn_output,att_o,o") \
    X(GATE, gate, "mlp.hook_pre,mlp.gate_proj,gate_proj,ffn_gate,fwd_gate")                                                   \
    X(UP, up, "mlp.hook_pre_linear,mlp.up_proj,up_proj,ffn_up,fwd_up,mlp.c_fc,c_fc,mlp.dense_h_to_4h")                         \
    X(ACT, act, "mlp.act_fn,act_fn")                                                                                          \
    X(HID, hid, "mlp.hook_post,hook_post")                                                                                    \
    X(MLP_OUT, mlp_out, "hook_mlp_out,mlp.down_proj,down_proj,ffn_down,fwd_down,down,mlp.dense_4h_to_h,mlp.c_proj")            \
    X(RESID_OUT, resid_out, "hook_resid_post,resid_post")                                                                     \
    X(FINAL, final, "ln_final.hook_normalized,model.norm,output_norm")                                                        \
    X(LOGITS, logits, "unembed,lm_head")

typedef enum gg_site {
#define GG_X(code, name, aliases) GG_SITE_##code,
    GG_SITE_MAP(GG_X)
#undef GG_X
    GG_SITE_COUNT
} gg_site;

typedef struct gg_neuron {
    int32_t layer;
    gg_site site;
    int64_t index; /* -1: the whole site */
} gg_neuron;

GG_API const char *gg_site_name(gg_site s);
/* Its other names, comma-separated. */
GG_API const char *gg_site_aliases(gg_site s);
/* By name or alias; GG_ENOENT lists the names and suggests the nearest. */
GG_API gg_status gg_site_parse(gg_site *out, gg_context *ctx, const char *text);
/* "up,down,q" -> set of sites as a bit mask (1u << site). */
GG_API gg_status gg_site_list_parse(uint32_t *mask, gg_context *ctx, const char *text);
/* "L12.up[345]", "L12.up" (index -1), "model.layers.12.mlp.up_proj[345]", "blk.12.ffn_up[345]", "blocks.12.mlp.hook_post[345]". */
GG_API gg_status gg_neuron_parse(gg_neuron *out, gg_context *ctx, const char *text);
GG_API void gg_neuron_name(char *out, size_t n, gg_neuron x);
/* "0-3,7,first,last,all" -> on[n_layers]. GG_EINVAL names the layer that is not there. */
GG_API gg_status gg_layer_list_parse(bool *on, gg_context *ctx, const char *text, int n_layers);

#ifdef __cplusplus
}
#endif
#endif
