"""Writes types.parquet (every kind of column, nulls, two row groups), nag.parquet (the layout of published NAG features) with pyarrow, and
what golgi must read from them: types.jsonl, nag.jsonl. Made with pyarrow 26.0.1. All values are invented here."""
import datetime
import decimal
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent


def write(name, table, rows, **options):
    pq.write_table(table, HERE / f"{name}.parquet", **options)
    with open(HERE / f"{name}.jsonl", "w") as out:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False), file=out)


big = 2**63 - 1
columns = [  # name, type, values given, values golgi must read
    ("docid", pa.large_string(), ["a", "b", "c", "d"], None),
    ("doc", pa.string(), ["plain", "", "\u00e9 \u20ac \U0001F600", None], None),
    ("kind", pa.dictionary(pa.int32(), pa.string()), ["x", "y", "x", None], None),
    ("i8", pa.int8(), [-128, 127, 0, None], None),
    ("i64", pa.int64(), [-big - 1, big, 0, None], None),
    ("u16", pa.uint16(), [0, 65535, 1, None], None),
    ("u64", pa.uint64(), [0, 2**64 - 1, big, None], [0, float(2**64 - 1), big, None]),
    ("f16", pa.float16(), [np.float16(x) for x in (1.5, -2.0**-24, 65504.0)] + [None], [1.5, -2.0**-24, 65504.0, None]),
    ("f32", pa.float32(), [0.5, float("nan"), -3.25, None], [0.5, None, -3.25, None]),
    ("f64", pa.float64(), [0.1, float("inf"), 5e-324, None], [0.1, None, 5e-324, None]),
    ("flag", pa.bool_(), [True, False, True, None], None),
    ("nothing", pa.null(), [None] * 4, None),
    ("ints", pa.list_(pa.int64()), [[1, 2, 3], [], None, [None, 4]], None),
    ("floats", pa.large_list(pa.float64()), [[0.25], [], None, [1.0, 2.0]], None),
    ("pair", pa.list_(pa.int16(), 2), [[1, 2], [3, 4], None, [5, 6]], None),
    ("meta", pa.struct([("docid", pa.string()), ("in", pa.struct([("k", pa.int32())]))]),
     [{"docid": "m", "in": {"k": 1}}, {"docid": None, "in": None}, None, {"docid": "n", "in": {"k": None}}], None),
    ("list_of", pa.list_(pa.struct([("a", pa.int64())])), [[{"a": 1}, {"a": None}], [], None, [None]], None),
    ("map", pa.map_(pa.string(), pa.int64()), [[("k", 1)], [], None, [("l", None)]], [[{"key": "k", "value": 1}], [], None, [{"key": "l", "value": None}]]),
    ("day", pa.date32(), [datetime.date(2020, 1, 2), None, None, None], ["2020-01-02", None, None, None]),
    ("time", pa.timestamp("us"), [datetime.datetime(2020, 1, 2, 3, 4, 5), None, None, None], ["2020-01-02 03:04:05.000000", None, None, None]),
    ("money", pa.decimal128(10, 2), [decimal.Decimal("-1.50"), None, None, None], ["-1.50", None, None, None]),
    ("bytes", pa.binary(), [b"ok", b"\xff\xe2\x82", b"", None], ["ok", "\ufffd\ufffd", "", None]),
]
table = pa.table([pa.array(given, t) for _, t, given, _ in columns], names=[c[0] for c in columns])
write("types", table, [{n: (read or given)[i] for n, _, given, read in columns} for i in range(4)], row_group_size=3, compression="zstd")

feature = pa.struct([("layer_topk_value_index", pa.list_(pa.int64()))])
rows = [{"docid": f"doc_{i}", "fwd_up_feature": {"layer_topk_value_index": [(7 * i + k * k) % 1536 for k in range(30 * 10)]}} for i in range(3)]
write("nag", pa.table([pa.array([r["docid"] for r in rows]), pa.array([r["fwd_up_feature"] for r in rows], feature)], names=["docid", "fwd_up_feature"]), rows)
