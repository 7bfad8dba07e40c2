/* Derivatives of the activations, in vectors and in double. After math/vector_body.h.
 *     gelu'      = Phi(x) + x phi(x)
 *     gelu_tanh' = s + x s (1 - s) u',   s = sigmoid(u), u = 2 sqrt(2/pi) (x + 0.044715 x^3)      (0.5 (1 + tanh(u/2)) = s)
 *     silu'      = s + x s (1 - s),      s = sigmoid(x)
 * s (1 - s) is written s sigmoid(-u): nothing cancels. */
ALWAYS vf v_gelu_slope(vf x)
{
    const vf big = MIN(all(1e3f), MAX(all(-1e3f), x)); /* x phi(x) is 0 there, not infinity times 0; NaN comes through */
    const vf phi = all(0.3989422804f) * v_exp(all(-0.5f) * big * big);
    const vi near = (vi)((vf)((vi)big & INT32_MAX) < all(1e-20f)); /* gelu(x) / x is Phi(x), but not for x = 0 and below the normal numbers */
    return SELECT(near, all(0.5f), v_gelu_erf(big) / SELECT(near, all(1), big)) + big * phi;
}
ALWAYS vf v_gelu_tanh_slope(vf x)
{
    const vf u = x * FMA(x * x, all(2 * 0.7978845608f * 0.044715f), all(2 * 0.7978845608f));
    const vf slope = FMA(x * x, all(6 * 0.7978845608f * 0.044715f), all(2 * 0.7978845608f));
    const vf s = v_sigmoid(u), rest = v_sigmoid(-u);
    const vf far = s * rest * (x * slope);
    return s + SELECT((vi)(rest * s == all(0)), all(0), far);
}
ALWAYS vf v_silu_slope(vf x)
{
    const vf s = v_sigmoid(x), both = s * v_sigmoid(-x);
    return s + SELECT((vi)(both == all(0)), all(0), both * x);
}
static inline double gelu_tanh_slope_f64(double x)
{
    const double u = 0.79788456080286535588 * (x + 0.044715 * x * x * x), t = tanh(u);
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.79788456080286535588 * (1 + 3 * 0.044715 * x * x);
}
static inline double silu_slope_f64(double x)
{
    const double s = 1 / (1 + exp(-x));
    return s + x * s * (1 - s);
}
