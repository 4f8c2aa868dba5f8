"""What every test starts from: the root of the repository, no network, no logins."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from chat_server import Server
    from view_site import Opened

ROOT = Path(__file__).parents[1]

# No property is judged by the clock: a busy machine proves nothing.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Before numpy or torch is imported anywhere, and inherited by every command a test starts. One
# thread everywhere, because sums of floats depend on how they are split and tests run side by side.
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "WANDB_MODE": "disabled",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
# `skythought` and `python` in documented commands are those of the environment under test.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from tests that are not for them, so that these do the same on every machine.

    A run takes one; of several, torchrun gives each process its own.
    """
    wanted = config.option.markexpr
    if "engines" in wanted and "not engines" not in wanted:
        return
    if "gpu" not in wanted or "not gpu" in wanted:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    else:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")


LONGEST = ("test_notebooks.py", "test_docs.py", "test_reproduce.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that none is left for one process at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    """Give the name of what torch computes on."""
    torch = pytest.importorskip("torch", reason="needs skythought[train]")
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU is visible here")
    return str(request.param)


# A shell starts background jobs with Ctrl-C ignored, and commands under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


SHARED = ROOT.parent / "shared" / "data"
WORDS = (
    "what is plus the answer toll from to so let me check wait but hmm again first then no yes of "
    "oak pine elm ash fir yew birch cedar maple willow hazel alder"
)
PIECE = r"<\|\w+\|>|\\boxed\{| ?[A-Za-z]+| ?\d|\n\n|\n| ?[^\sA-Za-z\d]|\s"
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder of real data that lies beside a checkout, where there is one."""
    if not SHARED.is_dir():
        pytest.skip("no folder of real data beside the repository (../shared/data)")
    return SHARED


@pytest.fixture(scope="session")
def sandbox() -> str:
    """Name the kind of sandbox for programs that works here."""
    from skythought.core.errors import UserError
    from skythought.verifiers import code_sandbox

    try:
        return code_sandbox.choose()
    except UserError as error:
        pytest.skip(f"no sandbox for programs works here: {error}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Give what starts chat servers; they are stopped at the end."""
    from chat_server import Server

    made: list[Server] = []

    def start(*args: Any, **values: Any) -> Server:
        made.append(Server(*args, **values))
        return made[-1]

    yield start
    for server in made:
        server.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Give what indexes files of traces and serves their pages; all is closed at the end."""
    from view_site import Opened

    made: list[Opened] = []

    def start(*paths: Path, measured: bool = False) -> Opened:
        made.append(Opened(tmp_path / "cache", *paths, measured=measured))
        return made[-1]

    yield start
    for site in made:
        site.close()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a random Llama of two layers with a lossless word-level tokenizer.

    Its weights are so large that greedy text wanders instead of repeating itself.
    """
    torch = pytest.importorskip("torch", reason="needs skythought[train]")
    transformers = pytest.importorskip("transformers", reason="needs skythought[train]")
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    from skythought.core.formats import TAGS

    torch.set_num_threads(1)
    turns = ["<|system|>", "<|user|>", "<|assistant|>"]
    words = [*WORDS.split(), *"0123456789", *".,?:{}"]
    pieces = ["<|pad|>", "<|end|>", "<|unk|>", *turns, *TAGS, "\n\n", "\n", " ", "\\boxed{"]
    vocab = {w: i for i, w in enumerate([*pieces, *words, *(f" {w}" for w in words)])}
    core = Tokenizer(models.WordLevel(vocab, unk_token="<|unk|>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE), behavior="isolated")
    core.decoder = decoders.Fuse()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        unk_token="<|unk|>",
        additional_special_tokens=turns,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(vocab),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=1024,
            initializer_range=0.3,
            bos_token_id=None,
            eos_token_id=vocab["<|end|>"],
            pad_token_id=vocab["<|pad|>"],
        )
    )
    with torch.no_grad():
        model.lm_head.weight[vocab["<|end|>"]] *= 2  # so that some answers end
    folder = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
