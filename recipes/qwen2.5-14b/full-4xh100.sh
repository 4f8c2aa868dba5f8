#!/usr/bin/env bash
# Qwen2.5-14B-Instruct, full, on 4xH100: 7.9 h, $119.67, 28 GiB a device (predicted)
# bash recipes/qwen2.5-14b/full-4xh100.sh r1-17k.jsonl [more flags of train]
# Takes 303 GiB of the machine's memory, and DeepSpeed: pip install ".[train,deepspeed]"
set -euo pipefail
${LAUNCH:-torchrun --nproc_per_node 4} -m skythought train \
  --base_model "${BASE_MODEL:-Qwen/Qwen2.5-14B-Instruct}" --dataset "${1:?the training data}" \
  --preset sky-t1-full --sharding zero3 --offload --gradient_checkpointing "${@:2}"
