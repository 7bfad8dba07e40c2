#!/bin/bash
# The main job on real input: out of 400 documents of eight known domains, choose for each of two targets the fifth of the tokens whose
# neurons look most like it. Called by `make demo` after set-up; a second run reuses what is in out/demo/features.
#
#   examples/demo.sh [FOLDER]     FOLDER: default out/demo
#
# docs/shares.png of the README is out/demo/scripture-shares.png of this script:
#   make demo && cp out/demo/scripture-shares.png docs/shares.png
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-out/demo}
model=models/SmolLM2-135M-Instruct.Q4_1.gguf
[ -e "$model" ] || { echo "demo: $model is not there; \`make demo\` fetches it" >&2; exit 1; }
mkdir -p "$out"

build/golgi nag select --model "$model" --target examples/target-scripture.jsonl examples/target-pycode.jsonl --pool examples/pool.jsonl.zst \
    --fraction 0.2 --features "$out/features" --output "$out/selected-{}.jsonl" --report "$out"

cat << END

What to look at
  $out/selected-scripture.jsonl, selected-pycode.jsonl   the chosen documents, nearest first
  $out/features/                                         each document's neurons: build/golgi nag show $out/features/pool-*.nag
  $out/*.png, *.svg                                      the figures
The report, one file for a browser:
$(realpath "$out/report.html")
END
