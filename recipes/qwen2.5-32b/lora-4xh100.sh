#!/usr/bin/env bash
# Qwen2.5-32B-Instruct, LoRA, on 4xH100: 7.9 h, $118.79, 44 GiB a device (predicted)
# bash recipes/qwen2.5-32b/lora-4xh100.sh r1-17k.jsonl [more flags of train]
set -euo pipefail
${LAUNCH:-torchrun --nproc_per_node 4} -m skythought train \
  --base_model "${BASE_MODEL:-Qwen/Qwen2.5-32B-Instruct}" --dataset "${1:?the training data}" \
  --preset article-lora --sharding fsdp --gradient_checkpointing "${@:2}"
