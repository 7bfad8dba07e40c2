#!/usr/bin/env python3
"""Rows of float32 and what the gguf package makes of them in F16, BF16 and Q8_0: python tests/golden/lm/quants.py, from the root of the tree."""
import numpy
from gguf import GGMLQuantizationType as T, quants
from safetensors.numpy import save_file

r = numpy.random.default_rng(5)
rows = [r.normal(size=32), r.normal(size=32) * 1e-3, r.normal(size=32) * 1e4, numpy.zeros(32), numpy.full(32, -0.75), r.uniform(-1, 1, 32) ** 9,
        numpy.linspace(-127, 127, 32), numpy.arange(32) * 0.5 - 8, numpy.concatenate([[127.0], numpy.arange(31) + 0.5]),
        numpy.concatenate([[-127.0], -numpy.arange(31) - 0.5]), r.normal(size=32) * 1e-7, r.normal(size=32) * 1e-9, r.normal(size=32) * 3e-5]
x = numpy.array(rows, dtype=numpy.float32)
save_file({"x": x, "f16": x.astype(numpy.float16).view(numpy.uint8), "bf16": quants.quantize(x, T.BF16).view(numpy.uint8).reshape(len(rows), -1),
           "q8_0": quants.quantize(x, T.Q8_0)}, "tests/golden/lm/quants.safetensors")
