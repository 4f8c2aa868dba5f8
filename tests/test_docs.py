"""Every command and every link in README.md and docs/*.md works; CONTRIBUTING.md has the rules.

Blocks marked bash, sh, console or python are run in the order of the page, each in a process of
its own, in one folder per page that is empty at first. An HTML comment right above changes that:

    <!-- skip: reason -->     the block is only checked for syntax
    <!-- test: command -->    the command is run in place of the block; $REPO is the repository
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from skythought import cli
from skythought.reporting import markdown, wording

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("README.md"), *(ROOT / "docs").glob("*.md")])
SHELLS = ("bash", "sh", "console")
TIMEOUT_S = 900

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+)[ ]*(?P<language>\w*)[^\n]*$")
COMMENT = re.compile(r"<!--\s*(skip|test):(.*?)-->\s*\Z", re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
COMMAND = re.compile(r"\bskythought(?:\.|[ ]+)([a-z_]+)\b([^|&;#`\n]*)")
FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int  # of the opening fence, from 1
    language: str  # "" where none is given
    text: str
    rule: str  # "", skip or test
    argument: str  # reason or command of the rule

    @property
    def where(self) -> str:
        """Name page and line."""
        name = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page.name
        return f"{name}:{self.line}"


def read_blocks(page: Path) -> list[Block]:
    """Cut the fenced blocks out of a page."""
    blocks: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    start, after = -1, 0
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if start < 0 and fence:
            start, opened = number, fence
        elif start >= 0 and line.strip() == opened["fence"]:
            indent = len(opened["indent"])
            text = "".join(f"{row[indent:]}\n" for row in lines[start + 1 : number])
            comment = COMMENT.search("\n".join(lines[after:start]))
            rule, argument = (comment[1], comment[2].strip()) if comment else ("", "")
            blocks.append(Block(page, start + 1, opened["language"], text, rule, argument))
            start, after = -1, number + 1
    assert start < 0, f"{page.name}:{start + 1}: the block is never closed"
    return blocks


def prose(page: Path) -> str:
    """Give a page without its fenced blocks."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for block in read_blocks(page):
        for number in range(block.line - 1, block.line + 1 + block.text.count("\n")):
            lines[number] = ""
    return "\n".join(lines)


def typed(block: Block) -> str:
    """Give what a reader types: of a console block, the lines after `$ ` and `> `."""
    if block.language != "console":
        return block.text
    rows = [row[2:] for row in block.text.splitlines() if row.startswith(("$ ", "> "))]
    assert rows, f"{block.where}: no line of the console block begins with '$ '"
    return "".join(f"{row}\n" for row in rows)


def check(block: Block) -> None:
    """Refuse a block that is not well-formed, or a rule without its argument."""
    assert not block.rule or block.argument, f"{block.where}: {block.rule} what? give it a text"
    if block.language == "python":
        ast.parse(block.text, filename=block.where)
    elif block.language in SHELLS:
        done = subprocess.run(
            ["bash", "-n"], input=typed(block), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block.where}: {done.stderr}"


def execute(block: Block, folder: Path) -> None:
    """Run a block, or the command its rule names, in a folder."""
    check(block)
    if block.rule == "skip" or block.language not in (*SHELLS, "python"):
        return
    if block.language == "python" and not block.rule:
        command = [sys.executable, "-c", block.text]
    else:
        text = block.argument if block.rule else typed(block)
        command = ["bash", "-euo", "pipefail", "-c", text]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "REPO": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"{block.where}: not finished after {TIMEOUT_S} s")
    if done.returncode:
        pytest.fail(f"{block.where}: exit code {done.returncode}\n{done.stdout[-3000:]}")


def flags_of(verb: str) -> set[str]:
    """List the flags that `skythought VERB --help` shows, written with hyphens."""
    done = subprocess.run(
        [sys.executable, "-m", "skythought", verb, "--help"],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(FLAG.findall(done.stdout)) | {"--help"}


@pytest.fixture(scope="module")
def flags() -> dict[str, set[str]]:
    return {verb: flags_of(verb) for verb in cli.VERBS}


def wrong_flags(page: Path, flags: dict[str, set[str]]) -> list[str]:
    """List what a page writes of verbs and flags that do not exist."""
    wrong = []
    spans = re.findall(r"`([^`\n]+)`", prose(page))
    code = "\n".join([*spans, *(block.text for block in read_blocks(page))])
    for verb, rest in COMMAND.findall(code.replace("\\\n", " ")):
        for flag in FLAG.findall(rest):
            if verb not in flags:
                wrong.append(f"skythought {verb} {flag}: there is no such verb")
            elif flag.replace("_", "-") not in {*flags[verb], *cli.COMMON}:
                wrong.append(f"skythought {verb} has no {flag}")
    known = set.union(*flags.values()) | {"--version", *cli.COMMON}
    for flag in (found[0] for span in spans if (found := FLAG.match(span))):
        if flag.replace("_", "-") not in known:
            wrong.append(f"no verb has {flag}")
    return wrong


def anchors(page: Path) -> set[str]:
    """List the anchors of a page's headings, written as GitHub does."""
    headings = re.findall(r"^#+ +(.+?)\s*$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {text.replace(" ", "-") for text in plain}


def dead_links(page: Path) -> list[str]:
    """List the links of a page that lead nowhere in the repository."""
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    dead = []
    for target in [*LINK.findall(text), *re.findall(r"(?:src|href)=\"([^\"]+)\"", text)]:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (page.parent / name).resolve() if name else page
        if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in anchors(goal)):
            dead.append(target)
    return dead


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_blocks_run(page: Path, tmp_path: Path) -> None:
    for block in read_blocks(page):
        execute(block, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_flags_exist(page: Path, flags: dict[str, set[str]]) -> None:
    assert not wrong_flags(page, flags)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    assert not dead_links(page)


def test_readme_shows_the_two_commands() -> None:
    shown = [block.text for block in read_blocks(ROOT / "README.md") if block.language in SHELLS]
    for command in ("make reproduce", "make test"):
        assert any(command in text for text in shown), command


def test_the_table_in_readme_is_the_recorded_runs() -> None:
    results = json.loads((ROOT / "recipes" / "mini" / "results.json").read_text(encoding="utf-8"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split(markdown.OPEN)[1].split(markdown.CLOSE)[0].strip()
    assert shown == markdown.table(results).strip()


def test_the_table_of_every_level_is_the_recorded_runs() -> None:
    results = json.loads((ROOT / "recipes" / "mini" / "results_all.json").read_text())
    text = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    rows = text.split("<!-- levels -->")[1].split("<!-- /levels -->")[0].strip().splitlines()[2:]

    def share(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.0f} %"

    wanted = [
        f"| {arm['title']} | {len(arm['seeds'])} | {share(arm['accuracy'])} | "
        f"{wording.points(arm['delta'])} | {wording.signed(arm['paper_change'])} | "
        f"{share(arm['inspected'].get('in_order'))} | "
        f"{share(arm['inspected'].get('additions_true'))} |"
        for arm in results["arms"]
        if arm["group"] in ("content", "structure", "short") and arm["name"] != "wrong_answers"
    ]
    assert rows == wanted


def page_of(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text)
    return page


def test_a_page_is_one_session_of_files(tmp_path: Path) -> None:
    text = (
        "```bash\necho 3 > n\n```\n"
        "text\n```python\nassert open('n').read() == '3\\n'\n```\n"
        "```console\n$ cat n | \\\n> tr 3 4 > m\n3\n```\n"
        "<!-- test: cp m k -->\n```sh\ncp no-such-file k\n```\n"
        "```json\nnot run\n```\n"
        "* in a list\n\n  <!-- skip: needs a GPU -->\n  ```sh\n  rm k\n  ```\n"
    )
    for block in read_blocks(page_of(tmp_path, text)):
        execute(block, tmp_path)
    assert (tmp_path / "k").read_text() == "4\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("one\n\n```bash\nfalse\ntrue\n```\n", r"page\.md:3: exit code 1"),
        ("```bash\nfalse | true\n```\n", r"page\.md:1: exit code 1"),
        ("```python\nassert False\n```\n", r"page\.md:1: exit code 1"),
        ("<!-- test: exit 7 -->\n```bash\ntrue\n```\n", r"page\.md:2: exit code 7"),
        ("<!-- skip: too long -->\n```bash\nif true\n```\n", r"page\.md:2: "),
        ("<!-- skip: -->\n```bash\ntrue\n```\n", r"skip what\?"),
        ("```console\nls\n```\n", r"begins with '\$ '"),
        ("```bash\ntrue\n", "never closed"),
    ],
)
def test_a_bad_block_is_found(text: str, told: str, tmp_path: Path) -> None:
    def run() -> None:
        for block in read_blocks(page_of(tmp_path, text)):
            execute(block, tmp_path)

    with pytest.raises((AssertionError, pytest.fail.Exception), match=told):
        run()


def test_wrong_flags_are_found(tmp_path: Path) -> None:
    known = {"train": {"--lora-r", "--help"}, "score": {"--run-dir"}}
    text = (
        "Use `--lora_r`, `--lorar 3` and `skythought score --lora-r`.\n"
        "```bash\nskythought train \\\n    --lora_r 8 --rank 8 | tee --append log\n"
        "skythought.train --lora-r 8\npip install --quiet skythought\n"
        "skythought tarin --lora-r 1\n```\n"
        "The word skythought alone --quietly -- is no command.\n"
    )
    assert wrong_flags(page_of(tmp_path, text), known) == [
        "skythought score has no --lora-r",
        "skythought train has no --rank",
        "skythought tarin --lora-r: there is no such verb",
        "no verb has --lorar",
    ]


def test_dead_links_are_found(tmp_path: Path) -> None:
    text = (
        "# One & two\n[a](page.md) [b](#one--two) [c](page.md#three) ![d](no.png) `[e](f)`\n"
        "[g](https://example.org/x) [h](mailto:a@example.org) [i](no.md 'title')\n"
        "```text\n[j](k)\n```\n"
    )
    assert dead_links(page_of(tmp_path, text)) == ["page.md#three", "no.png", "no.md"]
