#!/usr/bin/env bash
# Qwen2.5-32B-Instruct, full, on 2x8xH100: 3.8 h, $230.58, 61 GiB a device (predicted)
# bash recipes/qwen2.5-32b/full-2x8xh100.sh r1-17k.jsonl [more flags of train]
# On both nodes, with NODE_RANK=0 HEAD=<host of the first node> and NODE_RANK=1; they need one folder
# for --output_dir that both see.
set -euo pipefail
${LAUNCH:-torchrun --nnodes 2 --nproc_per_node 8 --node_rank ${NODE_RANK:?0 or 1} --rdzv_id sky --rdzv_backend c10d --rdzv_endpoint ${HEAD:?host of the first node}:29500} -m skythought train \
  --base_model "${BASE_MODEL:-Qwen/Qwen2.5-32B-Instruct}" --dataset "${1:?the training data}" \
  --preset sky-t1-full --sharding fsdp --gradient_checkpointing "${@:2}"
