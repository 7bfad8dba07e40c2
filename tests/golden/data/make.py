#!/usr/bin/env python3
"""Makes the images and arrays of tests/golden/data: small patterns written by Pillow and NumPy, for golgi's readers. Run from the repository root:

    python3 -m venv /tmp/v && /tmp/v/bin/pip install numpy pillow && /tmp/v/bin/python tests/golden/data/make.py

Made with NumPy 2.4.6, Pillow 13.0.0. Pixel (y, x) of channel c is (40 y + 7 x + 80 c) mod 256 in all of them.
"""
import numpy as np
from PIL import Image

H, W = 6, 5
y, x, c = np.meshgrid(np.arange(H), np.arange(W), np.arange(3), indexing="ij")
rgb = ((40 * y + 7 * x + 80 * c) % 256).astype(np.uint8)
to = "tests/golden/data/"
Image.fromarray(rgb[:, :, 0]).save(to + "grey.png")
Image.fromarray(rgb).save(to + "colour.png")
Image.fromarray(rgb).quantize(256).save(to + "palette.png")  # fewer than 256 colours: exact
Image.fromarray(np.concatenate([rgb, np.full((H, W, 1), 255, np.uint8)], axis=2)).save(to + "alpha.png")
for name, image in [("grey", np.full((H, W), 100, np.uint8)), ("colour", np.broadcast_to(np.uint8([200, 100, 50]), (H, W, 3)))]:  # flat: what JPEG keeps
    Image.fromarray(np.ascontiguousarray(image)).save(to + name + ".jpg", quality=95)
np.savez_compressed(to + "xy.npz", x=rgb.reshape(6, 15).astype(np.float32), y=np.array([2, 0, 1, 2, 0, 1]), v=np.linspace(0, 1, 12).reshape(6, 2))
