/* The list of operations: name, whether it may write over an input, kernel, gradient. */
#include "grad/graph.h"

const gg__operation *gg__operation_of(gg__op op)
{
    static const gg__operation list[GG__OPS] = {
        [GG__OP_INPUT] = {"input", false, NULL, NULL, NULL},
        [GG__OP_PARAM] = {"parameter", false, NULL, NULL, NULL},
        [GG__OP_CONSTANT] = {"constant", false, NULL, NULL, NULL},
#define GG_X(code, name) [GG__OP_##code] = {#name, true, gg__run_unary, gg__gradient_unary, NULL},
        GG_UNARY_MAP(GG_X) GG__UNARY_F_MAP(GG_X)
#undef GG_X
#define GG_X(code, name) [GG__OP_##code] = {#name, true, gg__run_binary, gg__gradient_binary, NULL},
        GG_BINARY_MAP(GG_X)
#undef GG_X
#define GG_X(code, name) [GG__OP_##code] = {#name, true, gg__run_binary, gg__gradient_slope, NULL},
        GG__BINARY_F_MAP(GG_X)
#undef GG_X
        [GG__OP_WHERE] = {"where", true, gg__run_where, gg__gradient_where, NULL},
        [GG__OP_ALIAS] = {"reshape", false, NULL, gg__gradient_alias, NULL},
        [GG__OP_SUM] = {"sum", false, gg__run_sum, gg__gradient_sum, NULL},
        [GG__OP_AMAX] = {"amax", false, gg__run_amax, gg__gradient_amax, NULL},
        [GG__OP_ARGMAX] = {"argmax", false, gg__run_argmax, NULL, NULL},
        [GG__OP_MATMUL] = {"matmul", false, gg__run_matmul, gg__gradient_matmul, NULL},
        [GG__OP_PERMUTE] = {"permute", false, gg__run_strided, gg__gradient_permute, NULL},
        [GG__OP_BROADCAST] = {"broadcast", false, gg__run_strided, gg__gradient_broadcast, NULL},
        [GG__OP_SLICE] = {"slice", false, gg__run_strided, gg__gradient_slice, NULL},
        [GG__OP_PAD] = {"pad", false, gg__run_pad, gg__gradient_pad, NULL},
        [GG__OP_CONCAT] = {"concat", false, gg__run_concat, gg__gradient_concat, NULL},
        [GG__OP_GATHER] = {"gather", false, gg__run_gather, gg__gradient_gather, NULL},
        [GG__OP_SCATTER_ADD] = {"scatter_add", false, gg__run_scatter_add, gg__gradient_scatter_add, NULL},
        [GG__OP_SOFTMAX] = {"softmax", true, gg__run_softmax, gg__gradient_softmax, NULL},
        [GG__OP_SOFTMAX_GRAD] = {"softmax_grad", true, gg__run_softmax_grad, gg__gradient_softmax_grad, NULL},
        [GG__OP_LOG_SOFTMAX] = {"log_softmax", true, gg__run_softmax, gg__gradient_log_softmax, NULL},
        [GG__OP_LOG_SOFTMAX_GRAD] = {"log_softmax_grad", true, gg__run_softmax_grad, gg__gradient_log_softmax_grad, NULL},
        [GG__OP_LOGSUMEXP] = {"logsumexp", false, gg__run_logsumexp, gg__gradient_logsumexp, NULL},
        [GG__OP_CROSS_ENTROPY] = {"cross_entropy", false, gg__run_cross_entropy, gg__gradient_cross_entropy, NULL},
        [GG__OP_CROSS_ENTROPY_GRAD] = {"cross_entropy_grad", true, gg__run_cross_entropy_grad, gg__gradient_cross_entropy_grad, NULL},
        [GG__OP_NORM] = {"norm", true, gg__run_norm, gg__gradient_norm, NULL},
        [GG__OP_NORM_DX] = {"norm_dx", false, gg__run_norm_dx, gg__gradient_composite, gg__composite_norm_dx},
        [GG__OP_NORM_DW] = {"norm_dw", false, gg__run_norm_dw, gg__gradient_composite, gg__composite_norm_dw},
        [GG__OP_ATTENTION] = {"attention", false, gg__run_attention, gg__gradient_attention, NULL},
        [GG__OP_ATTENTION_GRAD] = {"attention_grad", false, gg__run_attention_grad, gg__gradient_composite, gg__composite_attention_grad},
        [GG__OP_ROPE] = {"rope", true, gg__run_rope, gg__gradient_rope, NULL},
        [GG__OP_DROPOUT] = {"dropout", true, gg__run_dropout, gg__gradient_dropout, NULL},
        [GG__OP_CONV] = {"conv", false, gg__run_conv, gg__gradient_conv, NULL},
        [GG__OP_CONV_DX] = {"conv_dx", false, gg__run_conv_dx, gg__gradient_conv_dx, NULL},
        [GG__OP_CONV_DW] = {"conv_dw", false, gg__run_conv_dw, gg__gradient_conv_dw, NULL},
        [GG__OP_MAX_POOL] = {"max_pool", false, gg__run_pool, gg__gradient_max_pool, NULL},
        [GG__OP_MAX_POOL_GRAD] = {"max_pool_grad", false, gg__run_pool, gg__gradient_max_pool_grad, NULL},
        [GG__OP_MAX_POOL_PICK] = {"max_pool_pick", false, gg__run_pool, gg__gradient_max_pool_pick, NULL},
        [GG__OP_AVG_POOL] = {"avg_pool", false, gg__run_pool, gg__gradient_avg_pool, NULL},
        [GG__OP_AVG_POOL_GRAD] = {"avg_pool_grad", false, gg__run_pool, gg__gradient_avg_pool_grad, NULL},
        [GG__OP_LSTM_GATES] = {"lstm_gates", false, gg__run_cell, gg__gradient_lstm_gates, NULL},
        [GG__OP_LSTM_GATES_DA] = {"lstm_gates_da", false, gg__run_cell, gg__gradient_composite, gg__composite_cell},
        [GG__OP_LSTM_CELL] = {"lstm_cell", false, gg__run_cell, gg__gradient_lstm_cell, NULL},
        [GG__OP_LSTM_CELL_DS] = {"lstm_cell_ds", false, gg__run_cell, gg__gradient_composite, gg__composite_cell},
        [GG__OP_LSTM_CELL_DC] = {"lstm_cell_dc", false, gg__run_cell, gg__gradient_composite, gg__composite_cell},
        [GG__OP_LSTM_HIDDEN] = {"lstm_hidden", false, gg__run_cell, gg__gradient_lstm_hidden, NULL},
        [GG__OP_LSTM_HIDDEN_DS] = {"lstm_hidden_ds", false, gg__run_cell, gg__gradient_composite, gg__composite_cell},
        [GG__OP_LSTM_HIDDEN_DT] = {"lstm_hidden_dt", false, gg__run_cell, gg__gradient_composite, gg__composite_cell},
        [GG__OP_LSTM_DA] = {"lstm_da", false, gg__run_cell, gg__gradient_composite, gg__composite_cell},
        [GG__OP_GRU_CELL] = {"gru_cell", false, gg__run_cell, gg__gradient_gru_cell, NULL},
        [GG__OP_GRU_CELL_DX] = {"gru_cell_dx", false, gg__run_cell, gg__gradient_composite, gg__composite_cell},
        [GG__OP_GRU_CELL_DY] = {"gru_cell_dy", false, gg__run_cell, gg__gradient_composite, gg__composite_cell},
        [GG__OP_GRU_CELL_DH] = {"gru_cell_dh", false, gg__run_cell, gg__gradient_composite, gg__composite_cell},
        [GG__OP_SCAN] = {"scan", false, gg__run_scan, gg__gradient_nothing, NULL},
        [GG__OP_SCAN_GRAD] = {"scan_grad", false, gg__run_scan_grad, gg__gradient_nothing, NULL},
        [GG__OP_SCAN_OUT] = {"result of scan", false, gg__run_nothing, gg__gradient_scan_out, NULL},
        [GG__OP_CUMSUM] = {"cumsum", false, gg__run_cumsum, gg__gradient_cumsum, NULL},
        [GG__OP_TOP_K] = {"top_k", false, gg__run_top_k, gg__gradient_top_k, NULL},
        [GG__OP_INDEX_IS] = {"index_is", false, gg__run_index, NULL, NULL},
        [GG__OP_INDEX_REPLACE] = {"index_replace", false, gg__run_index, NULL, NULL},
        [GG__OP_TRAINING] = {"training", false, gg__run_training, NULL, NULL},
        [GG__OP_BATCH_STATS] = {"batch_stats", false, gg__run_batch_stats, NULL, NULL},
        [GG__OP_BATCH_NORM] = {"batch_norm", false, gg__run_batch_norm, gg__gradient_batch_norm, NULL},
        [GG__OP_BATCH_NORM_SUMS] = {"batch_norm_sums", false, gg__run_batch_norm_sums, gg__gradient_composite, gg__composite_batch_norm_sums},
        [GG__OP_BATCH_NORM_DX] = {"batch_norm_dx", false, gg__run_batch_norm_dx, gg__gradient_composite, gg__composite_batch_norm_dx},
        [GG__OP_CUSTOM] = {"custom operation", false, gg__run_custom, gg__gradient_custom, NULL},
        [GG__OP_CHECKPOINT] = {"checkpoint", false, NULL, gg__gradient_checkpoint, NULL},
        [GG__OP_STORE] = {"store", false, gg__run_store, NULL, NULL},
    };
    return &list[op];
}

gg__range gg__rows_of(gg__op op)
{
    switch (op) {
#define GG_X(code, name) case GG__OP_##code:
        GG_UNARY_MAP(GG_X)
        GG__UNARY_F_MAP(GG_X)
        return gg__rows_unary;
        GG_BINARY_MAP(GG_X)
        GG__BINARY_F_MAP(GG_X)
        return gg__rows_binary;
#undef GG_X
    case GG__OP_WHERE: return gg__rows_where;
    case GG__OP_MATMUL: return gg__rows_matmul;
    default: return op >= GG__OP_LSTM_GATES && op <= GG__OP_GRU_CELL_DH ? gg__rows_cell : NULL;
    }
}

gg_status gg__run_nothing(gg_var *v)
{
    (void)v;
    return GG_OK;
}

void gg__gradient_nothing(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d) { (void)d_in, (void)wanted, (void)v, (void)d; }
