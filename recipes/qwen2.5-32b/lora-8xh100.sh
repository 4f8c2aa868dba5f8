#!/usr/bin/env bash
# Qwen2.5-32B-Instruct, LoRA, on 8xH100: 4.0 h, $120.26, 35 GiB a device (predicted)
# bash recipes/qwen2.5-32b/lora-8xh100.sh r1-17k.jsonl [more flags of train]
set -euo pipefail
${LAUNCH:-torchrun --nproc_per_node 8} -m skythought train \
  --base_model "${BASE_MODEL:-Qwen/Qwen2.5-32B-Instruct}" --dataset "${1:?the training data}" \
  --preset article-lora --sharding fsdp --gradient_checkpointing "${@:2}"
