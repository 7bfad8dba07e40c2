"""Writes cases.jsonl: small texts and what Python's csv makes of them in strict mode. "rows": the header and the rows, or null where golgi must
refuse: Python refuses too, or a row is not as wide as the header, or two columns have one name. "write": the same rows as Python writes them."""
import csv
import io
import json
import pathlib
import random



def line_of(row, separator):
    """One line as golgi ends it, with LF. Python 3.11 quotes a CR only when lines end with one."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator="\r\n").writerow(row)
    return out.getvalue()[:-2] + "\n"


random.seed(4)
PIECES = ["a", "b", "\u00e9", " ", ",", ",", "\t", "\"", "\"\"", "\n", "\r\n", "\r", "\"x,y\"", "\"l1\nl2\"", "\"q\"\"q\""]
texts = ["a,b\n1,2\n", "a,b\n1,2", "a,b\r\n1,2\r\n", "a\n\"\"\n", "a,b\n\n1,2\n\n\n3,4", "a,b\n1,\n,2\n,\n", "a,b\n\"1\n2\",\"\"\"\"\n", "a,a\n1,2\n",
         "a,b\n1\n", "a,b\n1,2,3\n", "\"a\nb\",c\n1,2\n", "a,b\n\"1,2\n", "a,b\n\"1\"2,3\n", "a,b\n1\"2,3\n", " a , b \n 1 , 2 \n", "a,b\r1,2\r",
         "\n\na,b\n1,2\n", "a,,c\n1,2,3\n", "a,b\n\"1\"\n", "a\n\"x\"\"\"\n"]
for _ in range(450):
    texts.append(random.choice(["a,b\n", "c\n", "h,\u00e9,k\r\n", ""]) + "".join(random.choices(PIECES, k=random.randint(1, 14))))
for _ in range(300):  # tables that are right
    width, out = random.randint(1, 4), io.StringIO(newline="")
    writer = csv.writer(out, quoting=random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), lineterminator=random.choice(["\n", "\r\n", "\r"]))
    writer.writerow([f"h{k}" for k in range(width)])
    for _ in range(random.randint(0, 3)):
        writer.writerow(["".join(random.choices(["a", "\u00e9", " ", ",", "\t", "\"", "\n", "\r", ""], k=random.randint(0, 5))) for _ in range(width)])
    texts.append(out.getvalue())
seen = set()
with open(pathlib.Path(__file__).with_name("cases.jsonl"), "w") as out:
    for text in texts:
        separator = "\t" if random.random() < 0.3 else ","
        text = text.replace(",", separator) if separator == "\t" else text
        if text in seen:
            continue
        seen.add(text)
        try:
            rows = [r for r in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if r]
            if not rows or len(set(rows[0])) != len(rows[0]) or any(len(r) != len(rows[0]) for r in rows):
                rows = None
        except csv.Error:
            rows = None
        case = {"text": text, "separator": separator, "rows": rows}
        if rows:
            case["write"] = "".join(line_of(r, separator) for r in rows)
        print(json.dumps(case), file=out)
