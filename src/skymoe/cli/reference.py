"""docs/cli.md from the commands themselves: `python -m skymoe.cli.reference > docs/cli.md`; a test compares."""

from __future__ import annotations

import inspect
from typing import Any

from typer.main import get_command

from skymoe.cli import app

HEAD = """# Command line

Made from the commands' own help by `python -m skymoe.cli.reference > docs/cli.md`; do not edit.
[usage.md](usage.md) has examples.

Mistakes are one line on stderr and exit code 2; the other pictures of the call are still answered.
"""


def reference() -> str:
    """The whole page in Markdown."""
    group: Any = get_command(app)
    parts = [HEAD]
    for name, command in group.commands.items():
        parts += _sections(name, command)
    return "\n".join(parts)


def _sections(name: str, command: Any) -> list[str]:
    """One section for a command, one for each command of a group."""
    if not hasattr(command, "commands"):
        return [_section(name, command)]
    return [part for below, it in command.commands.items() for part in _sections(f"{name} {below}", it)]


def _section(name: str, command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [
        param for param in command.params if param.param_type_name == "option" and param.name != "help"
    ]
    usage = " ".join(["skymoe", name, *map(_placeholder, arguments), "[OPTIONS]"])
    lines = [f"## skymoe {name}", "", inspect.cleandoc(command.help or ""), "", f"    {usage}", ""]
    lines += ["| argument or option | meaning |", "| --- | --- |"]
    lines += [f"| `{_placeholder(param)}` | {_cell(param.help)} |" for param in arguments]
    for param in options:
        names = ", ".join(f"`{option}`" for option in [*param.opts, *param.secondary_opts])
        lines.append(f"| {names} | {_cell(param.help)}{_default(param)} |")
    return "\n".join(lines) + "\n"


def _placeholder(param: Any) -> str:
    name = (param.metavar or param.name).upper().strip("[]")
    return f"{name}…" if param.nargs == -1 else name if param.required else f"[{name}]"


def _default(param: Any) -> str:
    if param.is_flag or param.default in (None, (), []):
        return ""
    return f" Default: `{param.default}`."


def _cell(text: str | None) -> str:
    line = " ".join((text or "").split()).replace("|", "\\|")
    return line if not line or line[-1] in ".…" else f"{line}."


if __name__ == "__main__":
    print(reference(), end="")
