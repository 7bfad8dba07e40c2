#!/usr/bin/env python3
"""Results and gradients of PyTorch's operations and layers, over odd shapes, for tests/grad/torch_test.c. Writes ops.safetensors beside itself.
Needs torch 2.6 and safetensors (see README.md); never needed by the tests."""
import os
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

out = {}


def case(name, f, *inputs, wrt=None):
    """inputs: tensors; integer ones are indices. Stores them, f's result, weights, and the gradient of sum(w * result)."""
    x = [t.detach().clone().requires_grad_(t.is_floating_point()) for t in inputs]
    y = f(*x)
    w = torch.randn(y.shape)
    (y * w).sum().backward()
    for i, t in enumerate(x):
        out[f"{name}/in{i}"] = t.detach().contiguous() if t.is_floating_point() else t.to(torch.int32)
        if t.grad is not None:
            out[f"{name}/d{i}"] = t.grad.contiguous()
    out[f"{name}/out"] = y.detach().contiguous()
    out[f"{name}/w"] = w


torch.manual_seed(0)
R = torch.randn
P = lambda *s: torch.rand(*s) + 0.3
# elementwise, tails of every vector length
for n in ("exp", "tanh", "sigmoid", "erf", "sin", "cos", "abs", "square", "neg", "sign"):
    case(n, getattr(torch, n), R(3, 37) * 2)
for n in ("log", "sqrt", "rsqrt", "reciprocal"):
    case(n, getattr(torch, n), P(5, 19))
case("softplus", F.softplus, R(3, 37) * 4)
case("gelu", F.gelu, R(3, 37) * 2)
case("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), R(3, 37) * 2)
case("silu", F.silu, R(3, 37) * 3)
case("relu", F.relu, R(3, 37))
case("leaky_relu", lambda x: F.leaky_relu(x, 0.1), R(3, 37))
case("elu", lambda x: F.elu(x, 1.3), R(3, 37))
case("clip", lambda x: torch.clamp(x, -0.5, 0.7), R(3, 37))
case("pow", lambda x: x ** 2.5, P(3, 17))
case("add", lambda a, b: a + b, R(3, 1, 7), R(5, 1))
case("sub", lambda a, b: a - b, R(7), R(2, 5, 1))
case("mul", lambda a, b: a * b, R(2, 3, 33), R(3, 1))
case("div", lambda a, b: a / b, R(2, 3, 5), P(5))
case("max", torch.maximum, R(4, 9), R(9))
case("min", torch.minimum, R(4, 9), R(4, 1))
case("where", lambda c, a, b: torch.where(c > 0, a, b), R(4, 9), R(9), R(4, 1))
# reductions
case("sum0", lambda x: x.sum(0), R(130, 3, 5))
case("sum1", lambda x: x.sum(1), R(3, 131, 5))
case("sum2", lambda x: x.sum(2, keepdim=True), R(3, 5, 133))
case("sum02", lambda x: x.sum((0, 2)), R(7, 3, 9))
case("mean", lambda x: x.mean(), R(17, 9))
case("amax", lambda x: x.amax(1), R(5, 11))
# products
case("matmul", torch.matmul, R(13, 37), R(37, 21))
case("matmul_batch", torch.matmul, R(2, 1, 5, 7), R(3, 7, 33))
case("affine", F.linear, R(2, 5, 19), R(35, 19), R(35))
# shapes
case("permute", lambda x: x.permute(2, 0, 1), R(3, 5, 7))
case("concat", lambda a, b: torch.cat([a, b], 1), R(2, 3, 5), R(2, 4, 5))
case("slice", lambda x: x[:, 2:5], R(3, 7, 4))
case("pad", lambda x: F.pad(x, (2, 1)), R(3, 7))
case("gather", F.embedding, torch.randint(0, 11, (4, 6)), R(11, 5))
# softmax
case("softmax", lambda x: F.softmax(x, -1), R(5, 37) * 3)
case("log_softmax", lambda x: F.log_softmax(x, -1), R(5, 37) * 3)
case("logsumexp", lambda x: torch.logsumexp(x, -1), R(5, 700) * 3)
case("cross_entropy", lambda x, t: F.cross_entropy(x, t, reduction="none"), R(9, 37), torch.randint(0, 37, (9,)))
case("cross_entropy_ignore", lambda x, t: F.cross_entropy(x, t, reduction="none", ignore_index=3), R(9, 7), torch.randint(2, 5, (9,)))
case("smooth", lambda x, t: F.cross_entropy(x, t, reduction="none", label_smoothing=0.1), R(9, 7), torch.randint(0, 7, (9,)))
case("weighted", lambda x, w, t: F.cross_entropy(x, t, w.detach()), R(9, 7), P(7), torch.randint(0, 7, (9,)))
case("huber", lambda a, b: F.huber_loss(a, b, reduction="none", delta=0.7), R(4, 9), R(4, 9))
case("bce_logits", lambda a, b: F.binary_cross_entropy_with_logits(a, b.detach(), reduction="none"), R(4, 9), torch.rand(4, 9))
case("kl", lambda a, b: F.kl_div(F.log_softmax(a, -1), F.softmax(b, -1).detach(), reduction="none").sum(-1), R(4, 9), R(4, 9))
# normalisation
case("layer_norm", lambda x, w, b: F.layer_norm(x, (37,), w, b, 1e-5), R(3, 5, 37), R(37), R(37))
case("rms_norm", lambda x, w: F.rms_norm(x, (37,), w, 1e-6), R(3, 5, 37), R(37))
# convolution, pooling
case("conv2d", lambda x, w: F.conv2d(x, w), R(3, 3, 9, 11), R(5, 3, 3, 3))
case("conv2d_strided", lambda x, w: F.conv2d(x, w, stride=(2, 1), padding=(1, 2), dilation=(1, 2)), R(2, 2, 7, 9), R(3, 2, 3, 2))
case("conv2d_groups", lambda x, w: F.conv2d(x, w, padding=1, groups=2), R(9, 4, 5, 5), R(6, 2, 3, 3))
case("conv1d", lambda x, w: F.conv1d(x, w, stride=2, padding=1), R(3, 4, 21), R(5, 4, 3))
case("conv1d_causal", lambda x, w: F.conv1d(F.pad(x, (4, 0)), w, dilation=2), R(3, 2, 13), R(3, 2, 3))
case("conv_transpose2d", lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=(1, 0), output_padding=(1, 0)), R(2, 3, 4, 5), R(3, 2, 3, 3))
case("max_pool2d", lambda x: F.max_pool2d(x, (2, 3), stride=(2, 1), padding=(1, 0)), R(2, 3, 7, 9))
case("avg_pool2d", lambda x: F.avg_pool2d(x, 2, stride=(1, 2), padding=1, count_include_pad=False), R(2, 3, 6, 7))
case("avg_pool2d_counting", lambda x: F.avg_pool2d(x, 2, padding=1), R(2, 3, 6, 6))
# attention, (B, T, H, d); more than one block of 64 queries
T = lambda x: x.transpose(1, 2)
case("attention", lambda q, k, v: T(F.scaled_dot_product_attention(T(q), T(k), T(v))), R(2, 70, 3, 16), R(2, 90, 3, 16), R(2, 90, 3, 16))
case("attention_causal", lambda q, k, v: T(F.scaled_dot_product_attention(T(q), T(k), T(v), is_causal=True)), R(2, 130, 2, 8), R(2, 130, 2, 8), R(2, 130, 2, 8))
case("attention_grouped", lambda q, k, v: T(F.scaled_dot_product_attention(T(q), T(k), T(v), is_causal=True, enable_gqa=True)), R(1, 67, 6, 8), R(1, 67, 2, 8),
     R(1, 67, 2, 8))
window = (torch.arange(80)[:, None] - torch.arange(80)[None] < 9) & (torch.arange(80)[:, None] >= torch.arange(80)[None])
case("attention_window", lambda q, k, v: T(F.scaled_dot_product_attention(T(q), T(k), T(v), attn_mask=window)), R(1, 80, 2, 8), R(1, 80, 2, 8), R(1, 80, 2, 8))


def rope(x):
    t, half = torch.arange(x.shape[1], dtype=torch.float64), x.shape[3] // 2
    angle = t[:, None] * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    c, s = angle.cos().float()[None, :, None], angle.sin().float()[None, :, None]
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * c - b * s, a * s + b * c], -1)


case("rope", rope, R(2, 33, 2, 12))


# recurrent layers: x, then the parameters in PyTorch's order; result: all states
def recurrent(kind, **k):
    layer = getattr(torch.nn, kind)(5, 18, **k)
    names = [n for n, _ in layer.named_parameters()]

    def run(x, *p):
        return torch.func.functional_call(layer, dict(zip(names, p)), (x,))[0]

    case(kind + k.get("nonlinearity", ""), run, R(7, 3, 5), *[p.detach() for p in layer.parameters()])


recurrent("RNN")
recurrent("RNN", nonlinearity="relu")
recurrent("LSTM")
recurrent("GRU")

# activations, reductions, selections
for n in ("relu6", "selu", "mish", "hardsigmoid", "hardswish"):
    case(n, getattr(F, n), R(3, 37) * 4)
case("celu", lambda x: F.celu(x, 0.7), R(3, 37))
case("prelu", lambda x, w: F.prelu(x, w), R(4, 3, 7), R(3))
case("amin", lambda x: x.amin((0, 2)), R(5, 11, 3))
case("variance", lambda x: x.var((0, 2)), R(5, 4, 3))
case("cumsum0", lambda x: x.cumsum(0), R(19, 3, 5))
case("cumsum2", lambda x: x.cumsum(-1), R(3, 2, 133))
case("topk", lambda x: x * torch.zeros_like(x).scatter(-1, x.topk(5, -1).indices, 1.0), R(6, 37))
# losses: ignored targets, weights, smoothing together
labels = torch.tensor([0, 3, -100, 6, 2, 2, -100, 5, 1])
case("cross_entropy_mean", lambda x, t: F.cross_entropy(x, t), R(9, 7), labels)
case("cross_entropy_all", lambda x, w, t: F.cross_entropy(x, t, w.detach(), ignore_index=2, label_smoothing=0.2), R(9, 7), P(7), labels.clamp(0))
case("smooth_ignoring", lambda x, t: F.cross_entropy(x, t, reduction="none", label_smoothing=0.1), R(9, 7), labels)


# normalisation of batches: running statistics begin as the test fills them, and are stored as they are afterwards
def batch_norm(name, training, *shape):
    c = torch.arange(shape[1], dtype=torch.float32)
    mean, var = 0.1 * c - 0.2, 0.5 + 0.25 * c

    def run(x, w, b):
        return F.batch_norm(x, mean, var, w, b, training, 0.3, 1e-5)

    case(name, run, R(*shape) * 1.5 + 2, R(shape[1]), R(shape[1]))
    out[f"{name}/running0"], out[f"{name}/running1"] = mean, var


batch_norm("batch_norm1d", True, 33, 19)
batch_norm("batch_norm2d", True, 5, 3, 7, 9)
batch_norm("batch_norm_eval", False, 5, 3, 4)
batch_norm("batch_norm1d_eval", False, 4, 6)
case("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b), R(3, 6, 5, 4), R(6), R(6))
# one axis, adaptive sizes
case("conv_transpose1d", lambda x, w: F.conv_transpose1d(x, w, stride=3, padding=1, output_padding=2, dilation=2, groups=2), R(2, 4, 6), R(4, 3, 3))
case("max_pool1d", lambda x: F.max_pool1d(x, 3, stride=2, padding=1), R(2, 3, 14))
case("avg_pool1d", lambda x: F.avg_pool1d(x, 4, stride=3, padding=2), R(2, 3, 14))
case("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (3, 4)), R(2, 3, 7, 10))
case("adaptive_avg_pool2d_even", lambda x: F.adaptive_avg_pool2d(x, (2, 5)), R(2, 3, 6, 10))
case("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (3, 4)), R(2, 3, 7, 10))
case("adaptive_avg_pool1d", lambda x: F.adaptive_avg_pool1d(x, 5), R(2, 3, 13))
case("adaptive_max_pool1d", lambda x: F.adaptive_max_pool1d(x, 5), R(2, 3, 13))
# more losses, sums by index, products of every kind, masked keys
case("mse", lambda a, b: F.mse_loss(a, b, reduction="none"), R(4, 9), R(4, 9))
case("mae", lambda a, b: F.l1_loss(a, b, reduction="none"), R(4, 9), R(4, 9))
case("bce", lambda a, b: F.binary_cross_entropy(a.sigmoid(), b.detach(), reduction="none"), R(4, 9), torch.rand(4, 9))
case("soft_cross_entropy", lambda a, b: F.cross_entropy(a, b.softmax(-1).detach(), reduction="none"), R(5, 11), R(5, 11))
case("scatter_add", lambda i, x: torch.zeros(7, 5).index_add(0, i, x), torch.randint(0, 7, (23,)), R(23, 5))
case("matmul_nt", lambda a, b: a @ b.mT, R(3, 17, 29), R(3, 21, 29))
case("matmul_tn", lambda a, b: a.mT @ b, R(3, 29, 17), R(3, 29, 21))
seen = torch.tensor([[1, 0, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
case("attention_masked", lambda q, k, v: T(F.scaled_dot_product_attention(T(q), T(k), T(v), attn_mask=seen[:, None, None])), R(2, 7, 3, 8), R(2, 5, 3, 8),
     R(2, 5, 3, 8))

save_file(out, os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops.safetensors"))
