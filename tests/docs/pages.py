"""Runs a page of the documentation: its shell and Python blocks, in their order, in one folder, as a reader would.

* A block ```sh (or ```python) is run as it stands. The block ```text after it is what it prints; "…" stands for
  anything within a line, and on a line of its own for any lines.
* `<!-- not run: … -->` before a block: it needs what this machine has not. Its commands are only read.
* `<!-- stays -->` before a block: a server, which runs on while the next blocks are run.
* Port 8000 becomes a free one.

`python tests/docs/pages.py docs/fine-tune.md` runs a page and prints what each block really printed.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<kind>sh|python|text)\n(?P<code>.*?)```\n", re.S)
LONGEST = 900
"""Seconds that a block may take, however busy the machine is."""


@dataclass(frozen=True)
class Block:
    kind: str
    code: str
    mark: str = ""
    printed: str | None = None

    @property
    def runs(self) -> bool:
        return not self.mark.startswith("not run")


def blocks(page: Path) -> list[Block]:
    """The blocks to run or read, in order, each with what the page says that it prints."""
    found: list[Block] = []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match["kind"] != "text":
            found.append(Block(match["kind"], match["code"], match["mark"] or ""))
        elif found and found[-1].printed is None:
            last = found[-1]
            found[-1] = Block(last.kind, last.code, last.mark, match["code"])
    return found


def agrees(printed: str, shown: str) -> bool:
    """Whether a block printed what the page shows."""
    pattern = "".join(
        r"(?:.*\n)*?"
        if line.strip() == "…"
        else ".*?".join(map(re.escape, line.rstrip().split("…"))) + r" *\n"
        for line in shown.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


def commands_parse(block: Block) -> None:
    """The commands of a block that is not run are commands: their options exist, their recipes are valid.

    Raises what the command line raises.
    """
    from typer.main import get_command

    from skymoe.cli import app
    from skymoe.train.recipe import load_recipe

    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if "skymoe" not in words[:8] or words[0] == "git":  # a folder is called so, too
            continue
        command, arguments = get_command(app), words[words.index("skymoe") + 1 :]
        while hasattr(command, "commands") and arguments:
            command, arguments = command.commands[arguments[0]], arguments[1:]
        given = command.make_context("skymoe", list(arguments)).params
        if command.name == "train":
            load_recipe(ROOT / given["recipe"], given["overrides"])


class Reader:
    """Somebody who follows a page in an empty folder, with `recipes/` and `examples/` as in a checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._servers: list[subprocess.Popen[bytes]] = []
        for name in ("recipes", "examples"):
            (folder / name).symlink_to(ROOT / name)
        tools = folder / ".tools"
        tools.mkdir()
        for name, module in {
            "skymoe": "-m skymoe",
            "torchrun": "-m torch.distributed.run",
            "python": "",
        }.items():
            tool = tools / name
            tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
            tool.chmod(0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "SKYMOE_DATA": str(folder / "no-data"),
            "HF_HUB_OFFLINE": "1",
            "COLUMNS": "100",
            "TERM": "dumb",
        }

    def follow(self, block: Block) -> tuple[int, str]:
        """Run a block; its exit code and what it printed on both streams."""
        code = block.code.replace("8000", self.port)
        program = (
            ["bash", "-eo", "pipefail", "-c", code] if block.kind == "sh" else [sys.executable, "-c", code]
        )
        with tempfile.TemporaryFile() as said:  # no pipe: a server would keep it open
            process = subprocess.Popen(
                program, cwd=self.folder, env=self.environment, stdout=said, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            if block.mark == "stays":
                self._servers.append(process)
                self._wait_for_port(process)
            else:
                try:
                    process.wait(LONGEST)
                finally:
                    if process.poll() is None:
                        os.killpg(process.pid, signal.SIGKILL)
            said.seek(0)
            printed = said.read().decode().replace(self.port, "8000")
        # Bars rewrite their line; what stays of it is what a reader sees.
        lines = printed.removesuffix("\n").split("\n") if printed else []
        printed = "".join(line.rpartition("\r")[2] + "\n" for line in lines)
        return process.poll() or 0, printed

    def _wait_for_port(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + LONGEST
        while time.monotonic() < end and process.poll() is None:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", int(self.port))) == 0:
                    return
            time.sleep(0.1)

    def close(self) -> None:
        """Stop the servers."""
        for server in self._servers:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(60)


def named(block: Block) -> str:
    """What a test of the block is called."""
    return block.code.strip().splitlines()[0].rstrip(" \\")[:60]


def check(reader: Reader, block: Block) -> None:
    """Run the block, or read it where it can't be run: it must succeed and print what the page shows."""
    if not block.runs:
        commands_parse(block)
        return
    code, printed = reader.follow(block)
    assert code == 0, printed
    if block.printed is not None:
        assert agrees(printed, block.printed), printed


def main(page: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(Path(folder))
        try:
            for block in blocks(Path(page)):
                if not block.runs:
                    continue
                began = time.monotonic()
                code, printed = reader.follow(block)
                fits = block.printed is None or agrees(printed, block.printed)
                print(f"$ {block.code}{printed}[exit {code}, {time.monotonic() - began:.1f} s"
                      f"{'' if fits else ', DIFFERS from the page'}]\n", flush=True)  # fmt: skip
        finally:
            reader.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
