"""How processes share a model: each holds all of it (ddp), or a part (fsdp, zero3).

    torchrun --nproc_per_node 8 -m skythought train ... --sharding fsdp

FSDP2 is PyTorch's, ZeRO-3 DeepSpeed's, which can leave the optimizer in the machine's memory.
Accelerate shards; here is only what it is told, and what lets two CPUs try it.
"""

from __future__ import annotations

import os
from typing import Any

from accelerate.utils import gather_object

from skythought.core.errors import UserError, require

PARTS = ("fsdp", "zero3")  # each process holds a part
LAUNCH = "torchrun --nproc_per_node N -m skythought train ..."


def choose(asked: str, n_processes: int, *, evaluates: bool = False) -> str:
    """Name how the processes share the model: none, ddp, fsdp or zero3; ddp if nothing is asked.

    Raises:
        UserError: one process cannot share, several cannot but share, or one is to evaluate what
            none has whole.
    """
    if evaluates and asked in PARTS:
        raise UserError(
            f"--eval_task: one process evaluates, and with --sharding {asked} none has all"
        )
    if n_processes == 1 and asked in ("ddp", *PARTS):
        raise UserError(
            f"--sharding {asked} shares the model between processes, and this is one; start it "
            f"with {LAUNCH}"
        )
    if n_processes > 1 and asked == "none":
        raise UserError(f"--sharding none is for one process, and these are {n_processes}")
    return asked or ("ddp" if n_processes > 1 else "none")


def arguments(sharding: str, *, checkpointing: bool, offload: bool = False) -> dict[str, Any]:
    """Give what the trainer is told: where to shard, and whether activations are computed twice.

    With `offload`, for zero3, weights and the optimizer are kept in the machine's memory.

    Transformers computes them twice, not FSDP: FSDP's own way renames the modules, and an adapter
    is saved by their names.
    """
    plain: dict[str, Any] = {"activation_checkpointing": checkpointing}
    if sharding == "zero3":
        return plain | {"deepspeed": zero3(offload=offload)}
    if sharding != "fsdp":
        return plain
    return plain | {
        "fsdp": True,
        "fsdp_config": {
            "version": 2,
            # Checkpoints in pieces: gathered, the optimizer's state may not fit into one machine.
            "state_dict_type": "SHARDED_STATE_DICT",
            "cpu_ram_efficient_loading": True,  # on to the device goes a part of the first one's
        },
    }


def zero3(*, offload: bool) -> dict[str, Any]:
    """Give the configuration of DeepSpeed; what is "auto" in it, the trainer fills in.

    Raises:
        UserError: DeepSpeed is not installed.
    """
    require("deepspeed", "deepspeed")
    zero: dict[str, Any] = {"stage": 3, "stage3_gather_16bit_weights_on_model_save": True}
    if offload:
        zero |= {"offload_optimizer": {"device": "cpu"}, "offload_param": {"device": "cpu"}}
    return {
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,  # that of the trainer, as everywhere
        "zero_force_ds_cpu_optimizer": False,  # which would have to be compiled
        "bf16": {"enabled": "auto"},
        "data_types": {"grad_accum_dtype": "fp32"},  # as FSDP does here; bfloat16 else
        "communication_data_type": "fp32",
        "gradient_clipping": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
    }


def alike(model: Any, sharding: str) -> bool:
    """Say whether all processes hold weights of the same names, shapes and types, and these only.

    Then the first can send its own to those that have not read any.

    Raises:
        UserError: FSDP cannot spread what the model has beside its weights.
    """
    weights = [(name, tuple(p.shape), str(p.dtype)) for name, p in model.named_parameters()]
    buffers = sorted({name for name, _ in model.named_buffers()} & model.state_dict().keys())
    if buffers and sharding == "fsdp":
        raise UserError(
            f"--sharding fsdp: Accelerate does not spread {buffers[0]}, which is no weight of this "
            "model; give ddp, or zero3"
        )
    found = gather_object([(weights, buffers)])
    return not buffers and all(one == found[0] for one in found)


def on_cpus(arguments: Any) -> None:
    """Let CPUs shard too, which Accelerate leaves to GPUs; after the arguments, before the trainer.

    Args:
        arguments: TrainingArguments.
    """
    from accelerate import Accelerator, DistributedType, FullyShardedDataParallelPlugin
    from accelerate.state import PartialState

    if not (arguments.fsdp or arguments.deepspeed) or arguments.device.type != "cpu":
        return
    if arguments.deepspeed:
        os.environ["ACCELERATE_USE_CPU"] = "false"  # it goes before
        os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
        require("deepspeed", "deepspeed").init_distributed("gloo", auto_mpi_discovery=False)
        PartialState._shared_state |= {"_cpu": False, "distributed_type": DistributedType.DEEPSPEED}
        return
    state = Accelerator(mixed_precision="bf16" if arguments.bf16 else "no").state
    state.fsdp_plugin = FullyShardedDataParallelPlugin(**arguments.fsdp_plugin_args)
    state.distributed_type = DistributedType.FSDP
    PartialState._shared_state["distributed_type"] = DistributedType.FSDP


def gather(trainer: Any) -> None:
    """Let the next save write whole weights."""
    if trainer.is_fsdp_enabled:
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
