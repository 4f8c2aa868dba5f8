#!/usr/bin/env bash
# Qwen2.5-14B-Instruct, LoRA, on 4xH100: 4.0 h, $59.94, 52 GiB a device (predicted)
# bash recipes/qwen2.5-14b/lora-4xh100.sh r1-17k.jsonl [more flags of train]
set -euo pipefail
${LAUNCH:-torchrun --nproc_per_node 4} -m skythought train \
  --base_model "${BASE_MODEL:-Qwen/Qwen2.5-14B-Instruct}" --dataset "${1:?the training data}" \
  --preset article-lora --gradient_checkpointing "${@:2}"
