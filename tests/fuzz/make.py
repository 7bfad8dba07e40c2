"""Makes the seeds of the fuzz programs, tests/fuzz/corpus/TARGET/*: small valid files of every kind that a format has, for the fuzzer to
take apart. Plain Python, nothing to install. Usage: make.py (writes beside itself). The .nag seeds are `golgi nag extract` of the tiny model.
"""
import gzip, json, os, struct, subprocess, sys, zlib

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
def put(target, name, data):
    os.makedirs(os.path.join(here, target), exist_ok=True)
    with open(os.path.join(here, target, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())

# --- GGUF: keys, arrays of every type, a model of one layer with each tokenizer ---------------------------------------------------
U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64 = range(13)
CODE = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}
def text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s
def value(kind, v):
    return text(v) if kind == TEXT else struct.pack("<" + CODE[kind], v)
def array(kind, vs):
    return struct.pack("<IQ", kind, len(vs)) + b"".join(value(kind, v) for v in vs)
def key(name, kind, v, of=None):
    return text(name) + struct.pack("<I", kind) + (array(of, v) if kind == ARRAY else value(kind, v))

def numbers(n, seed):
    x, out = seed, []
    for _ in range(n):
        x = (x * 1103515245 + 12345) % 2**31
        out.append(x / 2**31 - 0.5)
    return out

def gguf(keys, tensors, version=3, alignment=32):
    head, data = b"", b""
    for name, dims, kind, raw in tensors:
        data += bytes(-len(data) % alignment)
        head += text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<IQ", kind, len(data))
        data += raw
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)) + b"".join(keys) + head
    return head + bytes(-len(head) % alignment) + data

D, F, H, KV, CTX = 16, 24, 2, 1, 32
def model(family, tokenizer, tokens, extra, bias=False):
    V, seed, tensors = len(tokens), [1], []
    def add(name, *dims, ones=False):
        seed[0] += 1
        n = 1
        for d in dims:
            n *= d
        tensors.append((name, dims[::-1], 0, struct.pack(f"<{n}f", *([1.0] * n if ones else numbers(n, seed[0])))))
    add("token_embd.weight", V, D)
    add("output_norm.weight", D, ones=True)
    for name, shape, ones in [("attn_norm", (D,), 1), ("ffn_norm", (D,), 1), ("attn_q", (D, D), 0), ("attn_k", (D // H * KV, D), 0),
                              ("attn_v", (D // H * KV, D), 0), ("attn_output", (D, D), 0), ("ffn_gate", (F, D), 0), ("ffn_up", (F, D), 0),
                              ("ffn_down", (D, F), 0)]:
        add(f"blk.0.{name}.weight", *shape, ones=ones)
    if bias:
        for name, n in [("attn_q", D), ("attn_k", D // H * KV), ("attn_v", D // H * KV)]:
            add(f"blk.0.{name}.bias", n)
    keys = [key("general.architecture", TEXT, family), key("general.name", TEXT, "seed"), key(f"{family}.context_length", U32, CTX),
            key(f"{family}.embedding_length", U32, D), key(f"{family}.block_count", U32, 1), key(f"{family}.feed_forward_length", U32, F),
            key(f"{family}.attention.head_count", U32, H), key(f"{family}.attention.head_count_kv", U32, KV),
            key(f"{family}.attention.layer_norm_rms_epsilon", F32, 1e-5), key(f"{family}.rope.freq_base", F32, 1e4), key(f"{family}.vocab_size", U32, V),
            key("tokenizer.ggml.model", TEXT, tokenizer), key("tokenizer.ggml.tokens", ARRAY, tokens, of=TEXT)] + extra
    return gguf(keys, tensors)

def byte_char(b): # GPT-2's printable stand-ins
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    return chr(b) if b in plain else chr(256 + [x for x in range(256) if x not in plain].index(b))
alphabet = [byte_char(b) for b in b"And God said, caf\xc3\xa9 12345\n"]
bpe = list(dict.fromkeys(["<|end|>"] + alphabet + ["An", "And", byte_char(32) + "G"]))
merges = ["A n", "An d", byte_char(32) + " G"]
bpe_types = key("tokenizer.ggml.token_type", ARRAY, [3] + [1] * (len(bpe) - 1), of=I32)
for pre in ["smollm", "llama-bpe", "qwen2", "gpt-2", "gpt-4o"]:
    put("model", f"bpe-{pre}.gguf", model("llama", "gpt2", bpe, [key("tokenizer.ggml.pre", TEXT, pre), key("tokenizer.ggml.merges", ARRAY, merges, of=TEXT),
                                                                 bpe_types,
        key("tokenizer.ggml.bos_token_id", U32, 0), key("tokenizer.ggml.eos_token_id", U32, 0)]))
spm = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + ["\u2581", "A", "n", "d", "G", "o", "\u2581A", "An", "\u2581And", "nd"]
put("model", "spm.gguf", model("llama", "llama", spm, [key("tokenizer.ggml.scores", ARRAY,
                                                           [0.0] * 3 + [-1e3] * 256 + [-float(i) for i in range(len(spm) - 259)], of=F32),
    key("tokenizer.ggml.token_type", ARRAY, [2, 3, 3] + [6] * 256 + [1] * (len(spm) - 259), of=I32), key("tokenizer.ggml.bos_token_id", U32, 1),
    key("tokenizer.ggml.eos_token_id", U32, 2), key("tokenizer.ggml.unknown_token_id", U32, 0), key("tokenizer.ggml.add_bos_token", BOOL, True)]))
uni = ["<pad>", "</s>", "<unk>", "\u2581", "A", "n", "d", "\u2581And", "\u2581G", "o", "s", "a", "i", ",", "1", "23", "45"]
put("model", "unigram.gguf", model("llama", "t5", uni, [key("tokenizer.ggml.scores", ARRAY, [0.0] * 3 + [-2.0 - i for i in range(len(uni) - 3)], of=F32),
    key("tokenizer.ggml.token_type", ARRAY, [3, 3, 2] + [1] * (len(uni) - 3), of=I32), key("tokenizer.ggml.eos_token_id", U32, 1),
    key("tokenizer.ggml.unknown_token_id", U32, 2), key("tokenizer.ggml.precompiled_charsmap", ARRAY, list(struct.pack("<I", 8) + bytes(8) + b"a\0"), of=U8),
    key("tokenizer.ggml.remove_extra_whitespaces", BOOL, True)]))
bert = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581and", "\u2581god", "\u2581said", ",", "\u2581caf", "e", "\u25811", "2", "345", "\u2581,"]
put("model", "wordpiece.gguf", model("llama", "bert", bert, [key("tokenizer.ggml.token_type", ARRAY, [3] * 4 + [1] * (len(bert) - 4), of=I32),
    key("tokenizer.ggml.cls_token_id", U32, 2), key("tokenizer.ggml.seperator_token_id", U32, 3), key("tokenizer.ggml.unknown_token_id", U32, 1)]))
put("model", "qwen2.gguf", model("qwen2", "gpt2", bpe, [key("tokenizer.ggml.pre", TEXT, "qwen2"), key("tokenizer.ggml.merges", ARRAY, merges, of=TEXT),
                                                        bpe_types], bias=True))
put("gguf", "keys.gguf", gguf([key(f"k{k}", k, {BOOL: True, TEXT: "caf\u00e9"}.get(k, 1)) for k in range(13) if k != ARRAY] +
    [key(f"a{k}", ARRAY, [{BOOL: True, TEXT: "x"}.get(k, 1)] * 3, of=k) for k in range(13) if k != ARRAY],
    [("t", (4, 2), 0, bytes(32)), ("h", (4,), 1, bytes(8)), ("q", (32,), 8, bytes(34))]))
put("gguf", "v2.gguf", gguf([key("general.alignment", U32, 8)], [("t", (2,), 0, bytes(8))], version=2, alignment=8))
put("gguf", "empty.gguf", gguf([], []))

# --- safetensors, NPY, NPZ ----------------------------------------------------------------------------------------------------------
def safetensors(entries, data):
    h = json.dumps(entries).encode()
    h += b" " * (-len(h) % 8)
    return struct.pack("<Q", len(h)) + h + data
put("safetensors", "two.safetensors", safetensors({"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]}, "c": {"dtype": "I64", "shape": [], "data_offsets": [22, 30]}}, bytes(30)))
put("safetensors", "none.safetensors", safetensors({}, b""))
def npy(head, data=b"", version=(1, 0)):
    h = head.encode() + b" " * 10 + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version[0] == 1 else "<I", len(h)) + h + data
put("npy", "f4.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", bytes(24)))
put("npy", "fortran.npy", npy("{'descr': '<i8', 'fortran_order': True, 'shape': (3, 2), }", bytes(48), (2, 0)))
put("npy", "big.npy", npy("{'descr': '>f8', 'fortran_order': False, 'shape': (2,), }", bytes(16), (3, 0)))
def npz(members, method):
    out, central = b"", b""
    for name, raw in members:
        z = zlib.compressobj(9, zlib.DEFLATED, -15) if method else None
        packed = z.compress(raw) + z.flush() if z else raw
        fields = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 33, zlib.crc32(raw), len(packed), len(raw), len(name), 0)
        central += b"PK\1\2" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, len(out)) + name
        out += b"PK\3\4" + fields + name + packed
    return out + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(central), len(out), 0)
for name, method in [("stored.npz", 0), ("deflated.npz", 8)]:
    put("npz", name, npz([(b"a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", bytes(8))),
                          (b"b.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", b"abc"))], method))

# --- rows -----------------------------------------------------------------------------------------------------------------------------
rows = ['{"docid": "a", "doc": "In the beginning", "token_num": 3, "x": [1, -2.5e3, null, true, {"y": "\\u00e9\\ud83d\\ude00\\n"}]}',
        '{"id": 7, "text": "was the word", "meta": {"docid": "q"}, "nul": "a\\u0000b", "half": "\\ud800"}', "", '  {"docid": "c", "doc": "  "}\r',
        '{"docid": "d", "doc": "one", "doc": "two", "big": 123456789012345678901234567890, "small": 1e-320}']
lines = "\n".join(rows) + "\n"
put("jsonl", "rows.jsonl", lines)
put("jsonl", "bom.jsonl", b"\xef\xbb\xbf" + rows[0].encode())
put("jsonl", "damaged.jsonl", rows[0].encode().replace(b"beginning", b"begin\xff\xc3ning") + b"\n[1, 2]\n")
put("jsonl", "nested.jsonl", '{"docid": "n", "doc": "deep", "x": ' + "[" * 60 + "]" * 60 + "}\n")
put("jsonlgz", "rows.jsonl.gz", gzip.compress(lines.encode(), mtime=0))
put("jsonlgz", "members.jsonl.gz", gzip.compress(rows[0].encode() + b"\n", mtime=0) + gzip.compress(rows[1].encode() + b"\n", mtime=0) + bytes(16))
feature = {"layer_topk_value_index": [1, 2, 3, 4], "n_layers": 2}
put("nagrows", "rows.jsonl", "".join(json.dumps({"docid": d, "token_num": 3, "fwd_up_feature": feature, "att_q_feature": feature}) + "\n" for d in "abc"))
put("nagrows", "bare.jsonl", json.dumps({"meta": {"docid": 5}, "fwd_down_feature": [7, 8]}) + "\n")
os.makedirs(os.path.join(here, "jsonlzst"), exist_ok=True) # Python has no zstd; the program has
subprocess.run(["zstd", "-q", "-f", "-o", os.path.join(here, "jsonlzst", "rows.jsonl.zst")], input=lines.encode(), check=True)
put("csv", "rows.csv", 'docid,doc,token_num\r\na,"In the ""beginning"", it\nwas",3\r\nb,,\r\n"c",x,1\r\n')
put("csv", "one.csv", "doc\n\"\"\nx\n")
put("csv", "bom.csv", b"\xef\xbb\xbfdocid;doc\n1;caf\xe9\n")

# --- JSON that steers ---------------------------------------------------------------------------------------------------------------
put("action", "neurons.json", json.dumps({"golgi": "action", "version": 1,
                                          "actions": [{"neurons": ["L1.up[17]", "L0.up[20-29]", "L1.up[0-95]"], "operation": "zero"},
    {"site": "L1.up", "index": [4, 8, 15], "operation": "scale", "value": 0.5}]}))
put("action", "values.json", json.dumps({"golgi": "action", "version": 1,
                                         "actions": [{"neurons": ["blocks.1.mlp.hook_pre_linear[3]"], "operation": "set", "value": -1e30},
    {"site": "L0.up", "index": [0], "operation": "add", "value": 3}]}))
added = [{"id": 0, "content": "<|end|>", "single_word": False, "lstrip": False, "rstrip": True, "normalized": False, "special": True}]
def tokenizer(name, model, **parts):
    put("tokenizer", name + ".json", json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
                                                 "pre_tokenizer": None,
        "post_processor": None, "decoder": None, "model": model} | parts, ensure_ascii=False))
ids = {t: i for i, t in enumerate(bpe)}
level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
tokenizer("bytes", {"type": "BPE", "dropout": None, "unk_token": None, "fuse_unk": False, "byte_fallback": False, "vocab": ids, "merges": merges},
          pre_tokenizer=level, decoder=level, post_processor={"type": "TemplateProcessing",
                                                              "single": [{"SpecialToken": {"id": "<|end|>", "type_id": 0}},
                                                                         {"Sequence": {"id": "A", "type_id": 0}}],
          "pair": [], "special_tokens": {"<|end|>": {"id": "<|end|>", "ids": [0], "tokens": ["<|end|>"]}}})
tokenizer("split", {"type": "BPE", "vocab": ids, "merges": [m.split(" ") for m in merges], "ignore_merges": True}, normalizer={"type": "NFC"},
          pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}| ?\\p{L}+"}, "behavior": "Isolated",
                                                                "invert": False},
          {"type": "Digits", "individual_digits": True}, level | {"use_regex": False}]}, decoder=level)
tokenizer("llama", added_tokens=[], model={"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                                           "vocab": {t: i for i, t in enumerate(spm)}, "merges": ["A n", "n d", "\u2581 A", "\u2581A nd"]},
          normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
                                                          {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
          decoder={"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"},
                                                    {"type": "Fuse"},
          {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})
tokenizer("unigram", {"type": "Unigram", "unk_id": 2, "byte_fallback": False, "vocab": [[t, -float(i)] for i, t in enumerate(uni)]},
          normalizer={"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": "CAAAAAAAAAAAAAAAYQA="},
                                                          {"type": "Strip", "strip_left": True, "strip_right": True}]},
          pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
          decoder={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True})
tokenizer("wordpiece", {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
          "vocab": {t: i for i, t in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "and", "god", "said", ",", "caf", "##e", "1", "##2", "##345"])}},
          normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
          pre_tokenizer={"type": "BertPreTokenizer"}, post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
          decoder={"type": "WordPiece", "prefix": "##", "cleanup": True})

sys.path.insert(0, os.path.join(here, "../../golden"))
from hostile import texts
hard = texts(30)
for i in range(27): # tokenizer and flags, ids wanted, window, block; then the text
    put("text", f"{i:02}", bytes([i % 36, 3 + 5 * i, i % 9, 3 * i]) + " ".join(hard[i::27]).encode()[:600] + [b"", b"\xe2\x82", b"\xff\x80"][i % 3])
put("text", "special", bytes([9 * 2 + 1, 40, 0, 0]) + b"a<|end|>b [CLS] x [SEP]<s></s><sep>\n\n\n the  the   <unk>")

put("config", "tiny-llama.json", open(os.path.join(here, "../../golden/tiny/llama/config.json")).read())

# --- configurations of training: every key and every layer
layers = ["flatten", "relu", {"activation": "leaky_relu", "slope": 0.1}, {"activation": "elu", "alpha": 2},
          {"layer": "linear", "n": 6, "bias": False, "name": "out"}, {"layer": "dropout", "p": 0.1}, {"layer": "layer_norm", "eps": 1e-6},
          {"layer": "residual", "model": [{"layer": "linear", "out_features": 6}, "gelu"]}]
images = [{"layer": "conv2d", "n": 4, "kernel": [3, 3], "stride": 1, "padding": "same", "dilation": 1, "groups": 1}, {"layer": "batch_norm", "momentum": 0.2},
          {"layer": "group_norm", "groups": 2}, {"layer": "max_pool2d", "kernel": 2, "stride": 2, "padding": 0},
          {"layer": "avg_pool2d", "kernel": 2, "count_include_pad": False},
          {"layer": "conv_transpose2d", "n": 2, "kernel": 2, "stride": 2, "output_padding": 0}, {"layer": "adaptive_avg_pool2d", "n": [2, 1]},
          "global_max_pool", {"layer": "unflatten", "shape": [2, -1]}, {"layer": "mean", "axis": 1}]
times = ["transpose", {"layer": "conv1d", "n": 4, "kernel": 3, "causal": True}, {"layer": "max_pool1d", "kernel": 2}, "transpose",
         {"layer": "gru", "n": 4, "output": "sequence"}, {"layer": "positional_embedding"},
         {"layer": "block", "heads": 2, "d_ff": 8, "causal": True, "window": 3, "rope_base": 100, "rms": True, "dropout": 0.1},
         {"layer": "rnn", "n": 3, "nonlinearity": "relu", "truncate": 2, "output": "sequence"}, {"layer": "lstm", "hidden_size": 3}]
ids = [{"layer": "embedding", "n": 4, "rows": 9}, {"layer": "max", "dim": 1}, {"layer": "linear", "n": 2}]
data = {"train": "a.csv", "validation": 0.1, "test": "b.csv", "stratify": True, "grouped": False, "ordered": False, "seed": 1, "target": -1, "group": "g",
        "task": "class", "ignore": ["id"], "header": True, "missing": "mean", "scale": "standard", "scale_target": False, "classes": 3, "length": 8,
        "stride": 4}
stop = {"metric": "val_loss", "mode": "min", "patience": 3, "min_delta": 0.1}
for name, model, loss, optimizer, schedule in [
        ("layers", layers, {"name": "cross_entropy", "label_smoothing": 0.1, "weight": [1, 2, 3]},
         {"name": "adam", "lr": 0.1, "betas": [0.9, 0.99], "eps": 1e-7}, "constant"),
        ("images", images, "cross_entropy", {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
         {"name": "one_cycle", "rise": 0.2, "warmup": 1}),
        ("times", times, {"name": "huber", "delta": 2}, {"name": "rprop", "etas": [0.5, 1.1], "step_sizes": [1e-5, 1]},
         {"name": "plateau", "patience": 2, "threshold": 0.01}),
        ("ids", ids, {"name": "cross_entropy", "weight": "balanced"}, {"name": "rmsprop", "alpha": 0.9, "centered": True},
         {"name": "step", "step_size": 2, "gamma": 0.5})]:
    put("train", name + ".json", json.dumps({"data": data, "model": model, "loss": loss, "optimizer": optimizer, "schedule": schedule,
        "training": {"epochs": 3, "batch_size": 8, "seed": 2, "shuffle": True, "drop_last": False, "clip_grad_norm": 1, "clip_grad_value": 2,
                     "early_stopping": stop}}, indent=1))

# --- what nets learn from: IDX, tables, images
def idx(kind, shape, data):
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + data
put("idx", "bytes.idx", idx(0x08, (3, 2, 2), bytes(range(12))))
put("idx", "labels.idx", idx(0x08, (4,), bytes([1, 0, 2, 1])))
put("idx", "signed.idx", idx(0x09, (2, 1), bytes([255, 3])))
put("idx", "short.idx", idx(0x0B, (1, 2), struct.pack(">2h", -2, 258)))
put("idx", "int.idx", idx(0x0C, (2,), struct.pack(">2i", 7, 0)))
put("idx", "float.idx", idx(0x0D, (2, 2), struct.pack(">4f", 1, -2.5, 3, 0)))
put("idx", "double.idx", idx(0x0E, (2, 1), struct.pack(">2d", 1e-3, 5)))
put("idx", "packed.idx", gzip.compress(idx(0x08, (2, 3), bytes(range(6))), mtime=0))
put("table", "iris.csv", "length,width,species\n5.1,3.5,setosa\n7,3.2e0,versicolor\n6.3,-3.3,virginica\n")
put("table", "missing.csv", "a,colour,y\n1,red,0\n,blue,1\nNA,?,0\n1e300,red,1\n")
put("table", "bare.csv", "1,2,0\n3,4,1\n")
put("table", "bytes.csv", b"a,y\n1,caf\xe9\n+2.5E-3,caf\xc3\xa9\n")
put("pnm", "text.pnm", "P2\n# grey\n3 2 7\n0 1 2\n3 4 7\n")
put("pnm", "colours.pnm", "P3 1 2 255 1 2 3 4 5 6\n")
put("pnm", "bytes.pnm", b"P5 2 2 255\n\x00\x01\xfe\xff")
put("pnm", "planes.pnm", b"P6\n2 1\n100\n\x00\x01\x02\x03\x04\x64")

# --- features ---------------------------------------------------------------------------------------------------------------------------
root = os.path.join(here, "..", "..", "..")
pool = os.path.join(here, "jsonl", "nag-seed.jsonl")
with open(pool, "w") as f:
    f.write('{"docid": "a", "doc": "In the beginning", "token_num": 3}\n{"docid": "bb", "doc": "was the word"}\n{"docid": "c", "doc": "and it was good"}\n')
os.makedirs(os.path.join(here, "nag"), exist_ok=True)
for name, words in [("up", ["--top-k", "2"]), ("three", ["--sites", "up,q,k", "--top-k", "3"])]:
    subprocess.run([os.path.join(root, "build/golgi"), "nag", "extract", "--model", os.path.join(root, "tests/golden/tinygguf/tiny.gguf"), "--input", pool,
                    "--quiet", "--dtype", "f32", "--output", os.path.join(here, "nag", name + ".nag")] + words, check=True)
os.makedirs(os.path.join(here, "rank"), exist_ok=True)
up = os.path.join(here, "nag", "up.nag")
for name, words in [("whole", ["--keep", "1"]), ("row", ["--keep", "0.01"]), ("score", ["--up-to", "0.4"]), ("two", ["--targets", "a=" + up, "b=" + up])]:
    subprocess.run([os.path.join(root, "build/golgi"), "nag", "rank", "--pool", up, "--quiet", "--output", os.path.join(here, "rank", name + ".rank")] +
                   words + ([] if "--targets" in words else ["--target", up]), check=True)
