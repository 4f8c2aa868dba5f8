#!/usr/bin/env bash
# Qwen2.5-14B-Instruct, full, on 8xH100: 3.5 h, $107.14, 53 GiB a device (predicted)
# bash recipes/qwen2.5-14b/full-8xh100.sh r1-17k.jsonl [more flags of train]
set -euo pipefail
${LAUNCH:-torchrun --nproc_per_node 8} -m skythought train \
  --base_model "${BASE_MODEL:-Qwen/Qwen2.5-14B-Instruct}" --dataset "${1:?the training data}" \
  --preset sky-t1-full --sharding fsdp --gradient_checkpointing "${@:2}"
