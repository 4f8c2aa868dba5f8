"""How processes share a model: each holds all of it (ddp), or a part (fsdp, PyTorch's FSDP2).

    torchrun --nproc_per_node 8 -m skythought train ... --sharding fsdp

Accelerate shards; here is only what it is told, and what lets two CPUs try it.
"""

from __future__ import annotations

from typing import Any

from skythought.core.errors import UserError

LAUNCH = "torchrun --nproc_per_node N -m skythought train ..."


def choose(asked: str, n_processes: int) -> str:
    """Name how the processes share the model: none, ddp or fsdp; ddp where several are not told.

    Raises:
        UserError: one process cannot share, or several cannot but share.
    """
    if n_processes == 1 and asked in ("ddp", "fsdp"):
        raise UserError(
            f"--sharding {asked} shares the model between processes, and this is one; start it "
            f"with {LAUNCH}"
        )
    if n_processes > 1 and asked == "none":
        raise UserError(f"--sharding none is for one process, and these are {n_processes}")
    return asked or ("ddp" if n_processes > 1 else "none")


def arguments(sharding: str, *, checkpointing: bool) -> dict[str, Any]:
    """Give what the trainer is told: where to shard, and whether activations are computed twice.

    Transformers computes them twice, not FSDP: FSDP's own way renames the modules, and an adapter
    is saved by their names.
    """
    plain: dict[str, Any] = {"activation_checkpointing": checkpointing}
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


def on_cpus(arguments: Any) -> None:
    """Let CPUs shard too, which Accelerate leaves to GPUs; after the arguments, before the trainer.

    Args:
        arguments: TrainingArguments with `fsdp`.
    """
    from accelerate import Accelerator, DistributedType, FullyShardedDataParallelPlugin
    from accelerate.state import PartialState

    if not arguments.fsdp or arguments.device.type != "cpu":
        return
    state = Accelerator(mixed_precision="bf16" if arguments.bf16 else "no").state
    state.fsdp_plugin = FullyShardedDataParallelPlugin(**arguments.fsdp_plugin_args)
    state.distributed_type = DistributedType.FSDP
    PartialState._shared_state["distributed_type"] = DistributedType.FSDP


def gather(trainer: Any) -> None:
    """Let the next save write whole weights."""
    if trainer.is_fsdp_enabled:
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
