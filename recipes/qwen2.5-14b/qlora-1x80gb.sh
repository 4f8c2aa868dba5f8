#!/usr/bin/env bash
# Qwen2.5-14B-Instruct, QLoRA, on 1xA100-80GB: 33.7 h, $84.28, 33 GiB a device (predicted)
# bash recipes/qwen2.5-14b/qlora-1x80gb.sh r1-17k.jsonl [more flags of train]
set -euo pipefail
${LAUNCH:-python} -m skythought train \
  --base_model "${BASE_MODEL:-Qwen/Qwen2.5-14B-Instruct}" --dataset "${1:?the training data}" \
  --preset article-lora --qlora --gradient_checkpointing "${@:2}"
