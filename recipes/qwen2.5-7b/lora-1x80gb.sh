#!/usr/bin/env bash
# Qwen2.5-7B-Instruct, LoRA, on 1xA100-80GB: 15.9 h, $39.77, 30 GiB a device (predicted)
# bash recipes/qwen2.5-7b/lora-1x80gb.sh r1-17k.jsonl [more flags of train]
set -euo pipefail
${LAUNCH:-python} -m skythought train \
  --base_model "${BASE_MODEL:-Qwen/Qwen2.5-7B-Instruct}" --dataset "${1:?the training data}" \
  --preset article-lora --gradient_checkpointing "${@:2}"
