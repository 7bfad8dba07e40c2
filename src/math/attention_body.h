static void k_attention(float *out, int64_t so, const float *q, int64_t sq, const float *k, const float *v, int64_t skv,
                        int64_t T, int64_t d_head, float scale, float softcap, int64_t window, float *scratch)
{
    gg_naive_attention(out, so, q, sq, k, v, skv, T, d_head, scale, softcap, window, scratch);
}
