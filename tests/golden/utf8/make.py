"""Writes cases.txt: ill-formed UTF-8 and what Python makes of it with errors="replace". Columns: bytes, repaired bytes (hex), U+FFFD written."""
import itertools
import pathlib
import random

EDGES = [0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF]
random.seed(1)
cases = [bytes(p) for n in (1, 2) for p in itertools.product(EDGES, repeat=n)]
cases += [bytes(random.choices(EDGES, k=random.randint(3, 9))) for _ in range(700)]
lead = lambda: random.choice([0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4])
cases += [bytes([lead(), *random.choices(EDGES[2:8], k=random.randint(1, 4))]) for _ in range(300)]
cases += ["\u00e9\u20ac\U0001F600\U0010FFFF\ud7ff\ue000\ufffd".encode()]
with open(pathlib.Path(__file__).with_name("cases.txt"), "w") as out:
    for c in dict.fromkeys(cases):
        fixed = c.decode(errors="replace")
        print(c.hex(), fixed.encode().hex(), fixed.count("\ufffd") - (c.count(b"\xef\xbf\xbd")), file=out)
