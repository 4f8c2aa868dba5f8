#!/usr/bin/env bash
# Qwen2.5-32B-Instruct, full, on 4xH100: 16.3 h, $245.77, 34 GiB a device (predicted)
# bash recipes/qwen2.5-32b/full-4xh100.sh r1-17k.jsonl [more flags of train]
# Takes 671 GiB of the machine's memory, and DeepSpeed: pip install ".[train,deepspeed]"
set -euo pipefail
${LAUNCH:-torchrun --nproc_per_node 4} -m skythought train \
  --base_model "${BASE_MODEL:-Qwen/Qwen2.5-32B-Instruct}" --dataset "${1:?the training data}" \
  --preset sky-t1-full --sharding zero3 --offload --gradient_checkpointing "${@:2}"
