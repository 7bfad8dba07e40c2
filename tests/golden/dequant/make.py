#!/usr/bin/env python3
"""Frozen vectors of the block formats: random blocks and what gguf.quants.dequantize makes of them.

    python3 make.py       needs numpy and gguf (written with gguf 0.19.0 of PyPI, MIT); writes FORMAT.bin beside itself

FORMAT.bin: int32 blocks, the blocks' bytes, then float32 values. Scales are random halves, kept finite; all other bytes are free.
"""
import pathlib
import numpy as np
import gguf
from gguf.quants import dequantize

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(20240611)
# where the float16 numbers of a block lie
halves = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
for name, places in halves.items():
    kind = gguf.GGMLQuantizationType[name]
    values, size = gguf.GGML_QUANT_SIZES[kind]
    n = 48 if values == 32 else 8
    blocks = rng.integers(0, 256, (n, size), dtype=np.uint8)
    for p in places:
        h = rng.normal(0, 1, n).astype(np.float16)
        h[0], h[1] = np.float16(6e-8), np.float16(-65504)  # the smallest subnormal, the largest
        blocks[:, p:p + 2] = h.view(np.uint8).reshape(n, 2)
    y = dequantize(blocks.reshape(n, size), kind).astype("<f4")
    assert y.shape == (n, values) and np.isfinite(y).all()
    with open(here / f"{name.lower()}.bin", "wb") as f:
        f.write(np.int32(n).tobytes() + blocks.tobytes() + y.tobytes())
