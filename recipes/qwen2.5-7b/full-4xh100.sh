#!/usr/bin/env bash
# Qwen2.5-7B-Instruct, full, on 4xH100: 3.4 h, $51.14, 47 GiB a device (predicted)
# bash recipes/qwen2.5-7b/full-4xh100.sh r1-17k.jsonl [more flags of train]
set -euo pipefail
${LAUNCH:-torchrun --nproc_per_node 4} -m skythought train \
  --base_model "${BASE_MODEL:-Qwen/Qwen2.5-7B-Instruct}" --dataset "${1:?the training data}" \
  --preset sky-t1-full --sharding fsdp --gradient_checkpointing "${@:2}"
