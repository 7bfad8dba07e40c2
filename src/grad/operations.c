/* The list of operations: name, whether it may write over an input, kernel, gradient. */
#include "grad/graph.h"

const gg__operation *gg__operation_of(gg__op op)
{
    static const gg__operation list[GG__OPS] = {
        [GG__OP_INPUT] = {"input", false, NULL, NULL},
        [GG__OP_PARAM] = {"parameter", false, NULL, NULL},
        [GG__OP_CONSTANT] = {"constant", false, NULL, NULL},
#define GG_X(code, name) [GG__OP_##code] = {#name, true, gg__run_unary, gg__gradient_unary},
        GG_UNARY_MAP(GG_X) GG__UNARY_F_MAP(GG_X)
#undef GG_X
#define GG_X(code, name) [GG__OP_##code] = {#name, true, gg__run_binary, gg__gradient_binary},
        GG_BINARY_MAP(GG_X)
#undef GG_X
#define GG_X(code, name) [GG__OP_##code] = {#name, true, gg__run_binary, gg__gradient_slope},
        GG__BINARY_F_MAP(GG_X)
#undef GG_X
        [GG__OP_WHERE] = {"where", true, gg__run_where, gg__gradient_where},
        [GG__OP_ALIAS] = {"reshape", false, NULL, gg__gradient_alias},
        [GG__OP_SUM] = {"sum", false, gg__run_sum, gg__gradient_sum},
        [GG__OP_AMAX] = {"amax", false, gg__run_amax, gg__gradient_amax},
        [GG__OP_ARGMAX] = {"argmax", false, gg__run_argmax, NULL},
        [GG__OP_MATMUL] = {"matmul", false, gg__run_matmul, gg__gradient_matmul},
        [GG__OP_PERMUTE] = {"permute", false, gg__run_strided, gg__gradient_permute},
        [GG__OP_BROADCAST] = {"broadcast", false, gg__run_strided, gg__gradient_broadcast},
        [GG__OP_SLICE] = {"slice", false, gg__run_strided, gg__gradient_slice},
        [GG__OP_PAD] = {"pad", false, gg__run_pad, gg__gradient_pad},
        [GG__OP_CONCAT] = {"concat", false, gg__run_concat, gg__gradient_concat},
        [GG__OP_GATHER] = {"gather", false, gg__run_gather, gg__gradient_gather},
        [GG__OP_SCATTER_ADD] = {"scatter_add", false, gg__run_scatter_add, gg__gradient_scatter_add},
        [GG__OP_SOFTMAX] = {"softmax", true, gg__run_softmax, gg__gradient_softmax},
        [GG__OP_SOFTMAX_GRAD] = {"softmax_grad", true, gg__run_softmax_grad, gg__gradient_softmax_grad},
        [GG__OP_LOG_SOFTMAX] = {"log_softmax", true, gg__run_softmax, gg__gradient_log_softmax},
        [GG__OP_LOG_SOFTMAX_GRAD] = {"log_softmax_grad", true, gg__run_softmax_grad, gg__gradient_log_softmax_grad},
        [GG__OP_LOGSUMEXP] = {"logsumexp", false, gg__run_logsumexp, gg__gradient_logsumexp},
        [GG__OP_CROSS_ENTROPY] = {"cross_entropy", false, gg__run_cross_entropy, gg__gradient_cross_entropy},
        [GG__OP_CROSS_ENTROPY_GRAD] = {"cross_entropy_grad", true, gg__run_cross_entropy_grad, gg__gradient_cross_entropy_grad},
        [GG__OP_SCAN] = {"scan", false, gg__run_scan, gg__gradient_nothing},
        [GG__OP_SCAN_GRAD] = {"scan_grad", false, gg__run_scan_grad, gg__gradient_nothing},
        [GG__OP_SCAN_OUT] = {"result of scan", false, gg__run_nothing, gg__gradient_scan_out},
        [GG__OP_STORE] = {"store", false, gg__run_store, NULL},
    };
    return &list[op];
}

gg_status gg__run_nothing(gg_var *v)
{
    (void)v;
    return GG_OK;
}

void gg__gradient_nothing(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d) { (void)d_in, (void)wanted, (void)v, (void)d; }
