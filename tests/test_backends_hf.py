"""skythought/backends/hf.py: what `generate` would say, whoever shares the batch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from skythought import backends
from skythought.backends import hf
from skythought.core import formats
from skythought.core.errors import UserError
from skythought.core.records import Completion, Message, Request, Sampling

torch: Any = pytest.importorskip("torch", reason="needs skythought[train]")
transformers: Any = pytest.importorskip("transformers", reason="needs skythought[train]")

QUESTIONS = (
    "what is 3 plus 4?",
    "oak",
    "the toll from oak to fir, and then to pine, and again to oak: what is it? wait, let me check.",
    "is 1 2 3 4 the answer?",
    "hmm, no.",
    "what is 9 plus 9 plus 9?",
    "first ash, then elm, then yew.",
)
GREEDY = Sampling(max_tokens=20)


def requests(questions: tuple[str, ...] = QUESTIONS) -> list[Request]:
    return [Request(id=q, messages=(Message("user", q),)) for q in questions]


def ordered(
    backend: backends.Backend, asked: list[Request], sampling: Sampling
) -> list[Completion]:
    found = {c.id: c for c in backend.complete(asked, sampling)}
    assert len(found) == len({r.id for r in asked})
    return [found[r.id] for r in asked]


def reference(model: Any, tokenizer: Any, request: Request, max_tokens: int) -> list[int]:
    """Decode one request alone with transformers' own loop."""
    prompt = formats.prompt_ids(tokenizer, request.messages)
    with torch.inference_mode(), torch.device(model.device):
        out = model.generate(torch.tensor([prompt]), max_new_tokens=max_tokens, do_sample=False)
    ids: list[int] = out[0, len(prompt) :].tolist()
    return ids


@pytest.fixture(scope="module")
def plain(tiny_model: Path) -> tuple[Any, Any]:
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    return model.eval(), transformers.AutoTokenizer.from_pretrained(tiny_model)


@pytest.mark.parametrize("max_batch", [1, 3, 512])
def test_greedy_is_what_generate_says(
    tiny_model: Path, plain: tuple[Any, Any], max_batch: int, device: str
) -> None:
    """Token for token, with padding, and with rows that end at different times."""
    model, tokenizer = plain[0].to(device), plain[1]
    backend = hf.HuggingFace(str(tiny_model), device=device, max_batch=max_batch)
    found = ordered(backend, requests(), GREEDY)
    for request, completion in zip(requests(), found, strict=True):
        expected = reference(model, tokenizer, request, GREEDY.max_tokens)
        ended = expected[-1] == tokenizer.eos_token_id
        assert completion.finish == ("stop" if ended else "length")
        assert completion.text == tokenizer.decode(expected[:-1] if ended else expected)
        assert completion.completion_tokens == len(expected)
        assert completion.prompt_tokens == len(formats.prompt_ids(tokenizer, request.messages))
    assert len({c.prompt_tokens for c in found}) > 3
    assert len({c.completion_tokens for c in found}) > 3
    assert {c.finish for c in found} == {"stop", "length"}


@pytest.mark.parametrize("kind", ["qwen2, sliding window", "gpt_neox, no grouped heads"])
def test_greedy_of_other_architectures(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    size = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "initializer_range": 0.3,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if kind.startswith("qwen2"):
        size |= {"num_key_value_heads": 1, "use_sliding_window": True, "sliding_window": 8}
        size |= {"max_window_layers": 1}
        config = transformers.Qwen2Config(**size)
    else:
        config = transformers.GPTNeoXConfig(**size)
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    backend = hf.HuggingFace(str(tmp_path))
    tokenizer = backend.tokenizer  # loading may choose the architecture's own class
    for request, completion in zip(requests(), ordered(backend, requests(), GREEDY), strict=True):
        expected = reference(model, tokenizer, request, GREEDY.max_tokens)
        kept = expected[:-1] if completion.finish == "stop" else expected
        assert completion.text == tokenizer.decode(kept)


def test_max_tokens_cuts(tiny_model: Path) -> None:
    backend = hf.HuggingFace(str(tiny_model))
    whole = ordered(backend, requests(), GREEDY)
    for completion, long in zip(
        ordered(backend, requests(), Sampling(max_tokens=5)), whole, strict=True
    ):
        if long.completion_tokens > 5:
            assert (completion.finish, completion.completion_tokens) == ("length", 5)
            assert long.text.startswith(completion.text)
        else:
            assert completion == long
    assert list(backend.complete([], GREEDY)) == []


def test_an_answer_is_given_as_soon_as_it_ends(tiny_model: Path) -> None:
    """So that a run that is killed loses the answers not yet ended, not the whole batch."""
    answers = hf.HuggingFace(str(tiny_model)).complete(requests(), GREEDY)
    lengths = [next(answers).completion_tokens]
    assert not torch.is_inference_mode_enabled()
    lengths += [c.completion_tokens for c in answers]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 3


def test_a_stop_at_the_last_token_is_a_stop(tiny_model: Path) -> None:
    backend = hf.HuggingFace(str(tiny_model))
    ended = next(c for c in ordered(backend, requests(), GREEDY) if c.finish == "stop")
    asked = [r for r in requests() if r.id == ended.id]
    room = ended.completion_tokens
    assert ordered(backend, asked, Sampling(max_tokens=room)) == [ended]
    [cut] = ordered(backend, asked, Sampling(max_tokens=room - 1))
    assert (cut.finish, cut.text) == ("length", ended.text)


def test_sampling_depends_on_request_and_seed_only(tiny_model: Path) -> None:
    sampling = Sampling(temperature=1.0, top_p=0.95, max_tokens=40, seed=3)
    asked = [
        Request(id=f"{q} {k}", messages=(Message("user", q),), sample=k)
        for q in QUESTIONS
        for k in range(3)
    ]
    together = ordered(hf.HuggingFace(str(tiny_model)), asked, sampling)
    small = hf.HuggingFace(str(tiny_model), max_batch=2)
    assert ordered(small, asked, sampling) == together
    assert ordered(small, asked[::-1], sampling) == together[::-1]
    assert ordered(small, asked[5:6], sampling) == together[5:6]
    assert len({c.text for c in together}) > len(QUESTIONS)
    other = ordered(small, asked, Sampling(temperature=1.0, top_p=0.95, max_tokens=40, seed=4))
    assert [c.text for c in other] != [c.text for c in together]


def test_a_repetition_penalty_decodes_as_generate_does(
    tiny_model: Path, plain: tuple[Any, Any]
) -> None:
    model, tokenizer = plain
    sampling = Sampling(max_tokens=20, repetition_penalty=1.3)
    found = ordered(hf.HuggingFace(str(tiny_model)), requests(), sampling)
    for request, completion in zip(requests(), found, strict=True):
        prompt = formats.prompt_ids(tokenizer, request.messages)
        out = model.generate(
            torch.tensor([prompt]), max_new_tokens=20, do_sample=False, repetition_penalty=1.3
        )
        expected = out[0, len(prompt) :].tolist()
        ended = expected[-1] == tokenizer.eos_token_id
        assert completion.text == tokenizer.decode(expected[:-1] if ended else expected)


def test_a_begun_answer_is_gone_on_with(tiny_model: Path, plain: tuple[Any, Any]) -> None:
    model, tokenizer = plain
    backend = hf.HuggingFace(str(tiny_model))
    [request] = requests(QUESTIONS[:1])
    going = Request(id="b", messages=request.messages, prefill="so let me check: ")
    assert backend.render(going) == f"<|user|>{QUESTIONS[0]}<|assistant|>so let me check: "
    assert backend.render(request) == f"<|user|>{QUESTIONS[0]}<|assistant|>"
    [whole, rest] = ordered(backend, [request, going], Sampling(max_tokens=8))
    prompt = tokenizer(backend.render(going), add_special_tokens=False)["input_ids"]
    out = model.generate(torch.tensor([prompt]), max_new_tokens=8, do_sample=False)
    expected = out[0, len(prompt) :].tolist()
    ended = expected[-1] == tokenizer.eos_token_id
    assert rest.text == tokenizer.decode(expected[:-1] if ended else expected)
    assert rest.text != whole.text
    assert rest.prompt_tokens == len(prompt) > whole.prompt_tokens


def test_a_sampling_that_is_not_there_is_refused(tiny_model: Path) -> None:
    backend = hf.HuggingFace(str(tiny_model))
    with pytest.raises(UserError, match="hf backend: has no stop; leave it out"):
        list(backend.complete(requests(), Sampling(stop=("x",))))


def copy_of(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_stop_tokens_of_the_generation_config(tiny_model: Path, tmp_path: Path) -> None:
    whole = ordered(hf.HuggingFace(str(tiny_model)), requests(), GREEDY)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    long = max(whole, key=lambda c: c.completion_tokens)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    asked = next(r for r in requests() if r.id == long.id)
    ids = reference(model, tokenizer, asked, GREEDY.max_tokens)
    extra = ids[10]
    folder = copy_of(tiny_model, tmp_path / "tiny")
    edit(folder / "generation_config.json", eos_token_id=[tokenizer.eos_token_id, extra])
    [cut] = ordered(hf.HuggingFace(str(folder)), [asked], GREEDY)
    assert cut.finish == "stop"
    assert cut.completion_tokens == ids.index(extra) + 1
    assert cut.text == tokenizer.decode(ids[: ids.index(extra)])


def test_the_identity_is_name_and_weights(tiny_model: Path, tmp_path: Path) -> None:
    moved = copy_of(tiny_model, tmp_path / "elsewhere" / "tiny")
    assert hf.identity(str(moved)) == hf.identity(str(tiny_model))
    assert hf.HuggingFace(str(moved)).identity == hf.identity(str(tiny_model))
    assert hf.identity(str(moved)).startswith("tiny@")
    data = bytearray((moved / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (moved / "model.safetensors").write_bytes(data)
    assert hf.identity(str(moved)) != hf.identity(str(tiny_model))
    assert hf.identity("Qwen/Qwen2.5-7B-Instruct") == "Qwen/Qwen2.5-7B-Instruct"


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """Give the folder of an adapter, as PEFT writes it, over a copy of the tiny model."""
    import peft

    base = copy_of(tiny_model, tmp_path / "base")
    model = transformers.AutoModelForCausalLM.from_pretrained(str(base))
    torch.manual_seed(2)
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(model, config)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.3)
    folder = tmp_path / "adapter"
    model.save_pretrained(folder)
    return folder


def test_an_adapter_is_merged(adapter: Path, tmp_path: Path) -> None:
    import peft

    base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "base")
    model = peft.PeftModel.from_pretrained(base, str(adapter)).eval()
    backend = hf.HuggingFace(str(adapter))
    found = ordered(backend, requests(), GREEDY)
    for request, completion in zip(requests(), found, strict=True):
        expected = reference(model, tokenizer, request, GREEDY.max_tokens)
        kept = expected[:-1] if completion.finish == "stop" else expected
        assert completion.text == tokenizer.decode(kept)
    untuned = ordered(hf.HuggingFace(str(tmp_path / "base")), requests(), GREEDY)
    assert [c.text for c in found] != [c.text for c in untuned]
    assert backend.identity.startswith("adapter@")
    assert backend.identity.endswith(f"+{hf.identity(str(tmp_path / 'base'))}")


def test_the_scale_of_an_adapter_is_part_of_its_identity(adapter: Path) -> None:
    before = hf.identity(str(adapter))
    config = json.loads((adapter / "adapter_config.json").read_text())
    edit(adapter / "adapter_config.json", target_modules=sorted(config["target_modules"]))
    assert hf.identity(str(adapter)) == before  # PEFT writes this set in any order
    edit(adapter / "adapter_config.json", lora_alpha=16)
    assert hf.identity(str(adapter)) != before


def test_the_base_of_an_adapter_has_moved(adapter: Path, tmp_path: Path) -> None:
    whole = ordered(hf.HuggingFace(str(adapter)), requests(), GREEDY)
    moved = tmp_path / "moved"
    (tmp_path / "base").rename(moved)
    with pytest.raises(UserError, match=r"base model is not at .*/base any more; .* base=FOLDER"):
        hf.HuggingFace(str(adapter))
    found = backends.make("hf", str(adapter), {"base": str(moved)})
    assert ordered(found, requests(), GREEDY) == whole
    with pytest.raises(UserError, match="is no adapter, so it has no base"):
        hf.HuggingFace(str(moved), base="x")


def test_an_adapter_of_another_base(adapter: Path, tmp_path: Path, tiny_model: Path) -> None:
    config = transformers.AutoConfig.from_pretrained(tiny_model)
    config.hidden_size = 16
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path / "small")
    transformers.AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path / "small")
    with pytest.raises(UserError, match="the adapter does not fit its base") as caught:
        hf.HuggingFace(str(adapter), base=str(tmp_path / "small"))
    assert "\n" not in str(caught.value)


def no_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def half_the_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def one_weight_less(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (no_template, "has no chat template; put a chat_template.jinja file"),
        (half_the_weights, "cannot be loaded: "),
        (one_weight_less, "lack 1 of the weights, the first is model.layers.1.mlp.up_proj.weight"),
        (no_config, "cannot be loaded: "),
        (no_weights, "cannot be loaded: "),
    ],
)
def test_a_broken_model_is_one_line(harm: Any, told: str, tiny_model: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_model, tmp_path / "tiny")
    harm(folder)
    with pytest.raises(UserError) as caught:
        backends.make("hf", str(folder))
    assert told in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("", {}, "which model? give --model FOLDER"),
        ("no/such/folder", {}, "model 'no/such/folder': no such folder"),
        ("./tiny", {}, "model './tiny': no such folder"),
        ("owner/no-such-model", {}, "model 'owner/no-such-model' cannot be loaded: "),
        ("tiny", {"dtype": "float23"}, "unknown dtype 'float23': did you mean 'float32'?"),
        ("tiny", {"device": "gpu"}, "device=gpu: give auto, cpu or cuda"),
        ("tiny", {"max_batch": "0"}, "max_batch=0: give 1 or more"),
        ("tiny", {"max_batch": "many"}, "max_batch=many: give a whole number"),
        ("tiny", {"tp": "2"}, "unknown option of hf 'tp': "),
    ],
)
def test_a_wrong_model_or_option_is_one_line(
    model: str, options: dict[str, str], told: str
) -> None:
    with pytest.raises(UserError) as caught:
        backends.make("hf", model, options)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gpu_that_is_not_there() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UserError, match="no GPU is visible here; give device=cpu"):
        backends.make("hf", "tiny", {"device": "cuda"})


def test_a_batch_is_as_large_as_its_cache_may_be(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = hf.HuggingFace(str(tiny_model))
    per_token = 2 * 2 * 1 * 16 * 4  # keys and values, layers, heads, width, bytes
    assert backend._batch_size(100) == 512
    monkeypatch.setattr(hf, "CACHE_BYTES", 100 * per_token * 3)
    assert backend._batch_size(100) == 3
    assert backend._batch_size(1000) == 1


def test_the_model_in_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert hf.locate("owner/mini") == "owner/mini"
    monkeypatch.setattr(hf, "files", lambda _: tmp_path)
    with pytest.raises(UserError, match=r"holds no model; .* make base-model"):
        hf.locate("mini")
    (tmp_path / "models" / "mini").mkdir(parents=True)
    assert hf.locate("mini") == str(tmp_path / "models" / "mini")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mini").mkdir()
    assert hf.locate("mini") == "mini"  # a folder of one's own comes first
