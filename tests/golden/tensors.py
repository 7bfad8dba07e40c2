#!/usr/bin/env python3
"""Makes tests/golden/tensors/: small files of every tensor format, written by the formats' own packages.

    python3 -m venv V && V/bin/pip install numpy==2.4.6 safetensors==0.8.0 gguf==0.19.0
    V/bin/python tests/golden/tensors.py

The values are formulas, so that the tests know them without reading them: element i of a tensor is (i - 5) / 4, in integers i - 5, in booleans i % 3 == 0.
"""
import io
import json
import pathlib
import shutil
import zipfile

import gguf
import numpy as np
from safetensors.numpy import save, save_file

OUT = pathlib.Path(__file__).resolve().parent / "tensors"


def ramp(shape, dtype=np.float32):
    i = np.arange(np.prod(shape, dtype=np.int64)) - 5
    if dtype == np.bool_:
        return ((i + 5) % 3 == 0).reshape(shape)
    return (i / 4 if np.issubdtype(dtype, np.floating) else i).astype(dtype).reshape(shape)


def keys(w):
    w.add_uint8("t.u8", 250)
    w.add_int8("t.i8", -7)
    w.add_uint16("t.u16", 65000)
    w.add_int16("t.i16", -300)
    w.add_uint32("t.u32", 4000000000)
    w.add_int32("t.i32", -70000)
    w.add_float32("t.f32", 1e-5)
    w.add_float64("t.f64", 0.1)
    w.add_uint64("t.u64", 1 << 40)
    w.add_uint64("t.u64_above", (1 << 63) + 5)
    w.add_int64("t.i64", -(1 << 40))
    w.add_bool("t.true", True)
    w.add_bool("t.false", False)
    w.add_string("t.text", "Grüße, neuron")
    w.add_array("a.i32", [1, -2, 3])
    w.add_array("a.f32", [0.5, -1.25])
    w.add_array("a.bool", [True, False, True])
    w.add_array("a.text", ["one", "", "zwölf", "a\0b"])
    w.add_array("a.nested", [[1, 2], [3]])
    w.add_uint32("z.last", 99)


def make_gguf():
    for name, endian in (("all.gguf", gguf.GGUFEndian.LITTLE), ("big-endian.gguf", gguf.GGUFEndian.BIG)):
        w = gguf.GGUFWriter(OUT / name, "test", endianess=endian)
        if endian == gguf.GGUFEndian.LITTLE:
            keys(w)
            for kind in (np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64):
                w.add_tensor(np.dtype(kind).name, ramp((2, 3, 4), kind))
            wave = np.sin(np.arange(128, dtype=np.float32)).reshape(2, 64)
            for kind in ("BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"):
                t = gguf.GGMLQuantizationType[kind]
                w.add_tensor(kind, gguf.quants.quantize(wave, t), raw_dtype=t)
                w_expected = gguf.quants.dequantize(gguf.quants.quantize(wave, t), t)
                np.save(OUT / f"{kind}.npy", w_expected.astype(np.float32))
        else:
            w.add_tensor("w", ramp((2, 2)))
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()
    w = gguf.GGUFWriter(OUT / "split.gguf", "test", split_max_tensors=2)
    w.add_uint32("test.block_count", 5)
    for i in range(5):
        w.add_tensor(f"blk.{i}.w", ramp((3, 2)) + i)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def make_safetensors():
    kinds = [np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint64, np.uint32, np.uint16, np.uint8, np.bool_]
    tensors = {np.dtype(k).name: ramp((2, 3), k) for k in kinds}
    tensors["scalar"] = np.array(7.5, np.float32)
    tensors["none"] = np.zeros((0, 4), np.float32)
    tensors["Grüße \"x\""] = ramp((2,))
    save_file(tensors, OUT / "all.safetensors", metadata={"format": "np", "author": "Golgi \"C.\""})
    # early files: the header is not padded, so that all data are at odd addresses
    header, data = split(save({"a": ramp((3,)), "b": ramp((2, 2), np.float64)}))
    header = header.rstrip()
    header += b" " * ((3 - len(header)) % 8)
    (OUT / "odd.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)


def split(blob):
    n = int.from_bytes(blob[:8], "little")
    return blob[8:8 + n], blob[8 + n:]


def make_folder():
    folder = OUT / "sharded"
    folder.mkdir()
    parts = {"model-00001-of-00002.safetensors": {"embed.weight": ramp((4, 2)), "layer.0.weight": ramp((2, 2))},
             "model-00002-of-00002.safetensors": {"layer.1.weight": ramp((2, 2)) + 1, "norm.weight": ramp((2,))}}
    for name, tensors in parts.items():
        save_file(tensors, folder / name, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 88}, "weight_map": {t: name for name, tensors in parts.items() for t in tensors}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    config = {"model_type": "test", "hidden_size": 2, "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "head_dim": None,
              "rope_scaling": {"factor": 8.0, "inner": {"rope_type": "llama3", "bands": [1, 4.5]}}, "eos_token_id": [1, 106],
              "layer_types": ["full", "window"], "flags": [True, False], "mixed": [1, "two", None, {"three": 3}, 4.5], "empty": [], "nothing": {}}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def zipped(name, member, data, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(OUT / name, "w") as z:
        z.writestr(zipfile.ZipInfo(member), data, method)  # ZipInfo dates everything 1980: a second run makes the same bytes


def make_numpy():
    np.save(OUT / "c.npy", ramp((2, 3)))
    np.save(OUT / "fortran.npy", np.asfortranarray(ramp((2, 3, 4), np.int16)))
    np.save(OUT / "scalar.npy", np.array(2.5))
    np.save(OUT / "big.npy", ramp((3,), np.float32).astype(">f4"))
    np.save(OUT / "complex.npy", np.zeros(2, np.complex64))
    np.save(OUT / "objects.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    np.save(OUT / "structured.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
    for version in ((2, 0), (3, 0)):
        with open(OUT / f"v{version[0]}.npy", "wb") as f:
            np.lib.format.write_array(f, ramp((5,), np.int64), version=version)
    arrays = dict(weights=ramp((4, 5)), ids=ramp((6,), np.uint16), mask=ramp((7,), np.bool_), wide=np.asfortranarray(ramp((3, 4), np.float64)))
    np.savez(OUT / "stored.npz", **arrays)
    np.savez_compressed(OUT / "deflated.npz", **arrays)
    raw = io.BytesIO()
    np.save(raw, ramp((2,)))
    zipped("bzip2.npz", "x.npy", raw.getvalue(), zipfile.ZIP_BZIP2)
    zipped("torch.pt", "model/data.pkl", b"\x80\x02}q\x00.")
    zipped("foreign.zip", "readme.txt", "no array")


if __name__ == "__main__":
    readme = (OUT / "README.md").read_text()
    shutil.rmtree(OUT)
    OUT.mkdir()
    (OUT / "README.md").write_text(readme)
    make_gguf()
    make_safetensors()
    make_folder()
    make_numpy()
    for f in OUT.rglob("*.safetensors"):
        f.chmod(0o644)
    print(sum(f.stat().st_size for f in OUT.rglob("*") if f.is_file()), "bytes")
