"""What a shell needs to complete verbs and flags.

skythought completion bash >> ~/.bashrc
skythought completion zsh >> ~/.zshrc
skythought completion fish > ~/.config/fish/completions/skythought.fish
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from skythought.core.errors import UserError

SHELLS = ("bash", "zsh", "fish")
COMMON = ("--help", "--quiet", "--json")
BASH = """_skythought() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} words=""
  if [ "$COMP_CWORD" = 1 ]; then
    words="{verbs}"
  else
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ "${{#COMPREPLY[@]}}" -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}}
complete -o filenames -F _skythought skythought
"""


def script(words: Sequence[str], verbs: Mapping[str, tuple[str, str]]) -> str:
    """Write the script for a shell.

    Raises:
        UserError: no shell, or none of those known.
    """
    if len(words) != 1 or words[0] not in SHELLS:
        raise UserError(f"completion of which shell? give one of {', '.join(SHELLS)}")
    flags = {verb: flags_of(module) for verb, (module, _) in verbs.items()}
    if words[0] == "fish":
        return _fish(verbs, flags)
    cases = "\n".join(
        f'      {verb}) words="{" ".join(names)}" ;;' for verb, names in flags.items()
    )
    text = BASH.format(verbs=" ".join(verbs), cases=cases)
    if words[0] == "zsh":
        return f"autoload -U +X bashcompinit && bashcompinit\n{text}"
    return text


def flags_of(module: str) -> list[str]:
    """List the flags of a verb, with hyphens."""
    config = importlib.import_module(module).Config
    hints = get_type_hints(config, include_extras=True)
    found = [*COMMON]
    for field in dataclasses.fields(config):
        if not _positional(hints[field.name]):
            found.append(f"--{field.name.replace('_', '-')}")
    return found


def _positional(hint: Any) -> bool:
    if get_origin(hint) is not Annotated:
        return False
    import tyro

    marker = get_args(tyro.conf.Positional[int])[1:]
    return any(extra in marker for extra in get_args(hint)[1:])


def _fish(verbs: Mapping[str, tuple[str, str]], flags: Mapping[str, Sequence[str]]) -> str:
    lines = []
    for verb, (_, about) in verbs.items():
        told = about.replace("'", "\\'")
        lines.append(f"complete -c skythought -n __fish_use_subcommand -a {verb} -d '{told}'")
        for flag in flags[verb]:
            when = f"'__fish_seen_subcommand_from {verb}'"
            lines.append(f"complete -c skythought -n {when} -l {flag.removeprefix('--')}")
    return inspect.cleandoc("\n".join(lines)) + "\n"
