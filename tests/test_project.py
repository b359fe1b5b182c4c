"""What must hold for the project as a whole: start-up, layout, packaging, and documents that are true."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import skymoe

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "skymoe"
SOURCES = sorted(PACKAGE.rglob("*.py"))
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
HEAVY = {"torch", "transformers", "rasterio", "accelerate"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported_modules(path: Path) -> set[str]:
    """Absolute dotted names that a file imports, anywhere in it, type-checking blocks included."""
    package = list(path.relative_to(ROOT / "src").with_suffix("").parts[:-1])
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            found.update([module, *(f"{module}.{alias.name}" for alias in node.names)])
    return found


def rooms_imported(path: Path) -> set[str]:
    """First-level parts of skymoe that a file imports: `skymoe.tasks.count` → `tasks`."""
    parts = [module.split(".") for module in imported_modules(path)]
    names = {part[1] for part in parts if part[0] == "skymoe" and len(part) > 1}
    return {name for name in names if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()}


def files_of(*rooms: str) -> Iterator[Path]:
    for room in rooms:
        yield from (path for path in SOURCES if path.relative_to(PACKAGE).parts[0] in {room, f"{room}.py"})


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter imports while it runs `code`."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}


# ---- start-up -------------------------------------------------------------------------------------


def test_import_loads_nothing_heavy() -> None:
    assert not HEAVY & loaded_by("import skymoe; skymoe.__version__; dir(skymoe)")


def test_values_and_tasks_load_nothing_heavy() -> None:
    rooms = [
        room for room in ("boxes", "sample", "answer", "tasks") if importlib.util.find_spec(f"skymoe.{room}")
    ]
    if not rooms:
        pytest.skip("none of boxes, sample, answer, tasks is there yet")
    assert not HEAVY & loaded_by("import " + ", ".join(f"skymoe.{room}" for room in rooms))


def test_help_loads_nothing_heavy() -> None:
    if importlib.util.find_spec("skymoe.cli") is None:
        pytest.skip("skymoe.cli is not there yet")
    code = "import sys; sys.argv = ['skymoe', '--help']\nfrom skymoe.cli import main\n"
    code += "try: main()\nexcept SystemExit as end: assert not end.code, end.code"
    assert not HEAVY & loaded_by(code)


def test_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        skymoe.nonsense  # noqa: B018


# ---- layout ---------------------------------------------------------------------------------------


def test_no_source_file_passes_400_lines() -> None:
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in sizes.items() if lines > 400} == {}


def test_no_grab_bag_names() -> None:
    grab_bags = {"utils", "util", "helpers", "helper", "misc", "common"}
    paths = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    assert [
        name_of(path) for path in paths if grab_bags & {*path.with_suffix("").parts[len(ROOT.parts) :]}
    ] == []


def test_nothing_is_left_unfinished() -> None:
    # Spelled in halves, so that this file does not find itself.
    marks = re.compile(
        "|".join(["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error", r"set_tr" + r"ace\(\)"])
    )
    paths = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    assert [name_of(path) for path in paths if marks.search(path.read_text(encoding="utf-8"))] == []


def test_values_and_tasks_know_only_each_other() -> None:
    for path in files_of("boxes", "sample", "answer", "tasks"):
        assert not HEAVY & {module.split(".")[0] for module in imported_modules(path)}, name_of(path)
        assert rooms_imported(path) <= {"boxes", "sample", "answer", "tasks", "errors"}, name_of(path)


def test_models_know_only_models() -> None:
    for path in files_of("models"):
        assert rooms_imported(path) <= {"models", "errors"}, name_of(path)


def test_weights_are_read_in_one_place() -> None:
    """Whatever else calls `from_pretrained` would take random weights for missing ones."""
    readers = set()
    for path in SOURCES:
        called = [
            node.func
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
        ]
        if any(
            isinstance(function, ast.Attribute) and function.attr == "from_pretrained" for function in called
        ):
            readers.add(name_of(path))
    assert readers == {"src/skymoe/models/whole_weights.py"}


def test_only_the_entry_point_knows_the_command_line() -> None:
    knowing = [path for path in SOURCES if "cli" in rooms_imported(path)]
    assert {path.relative_to(PACKAGE).parts[0] for path in knowing} <= {"cli", "__main__.py"}


# ---- packaging ------------------------------------------------------------------------------------


def test_version_is_the_same_everywhere() -> None:
    changelog = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    assert changelog
    assert citation
    assert changelog[1] == citation[1] == skymoe.__version__


def test_core_stays_small() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = {re.split(r"[<>=\[ ]", line, maxsplit=1)[0] for line in project["dependencies"]}
    analyst = {"pillow", "rasterio", "typer", "rich", "tqdm"}
    assert core == {"torch", "transformers", "safetensors", "numpy"} | analyst


def test_assets_stay_below_what_the_package_index_takes() -> None:  # 100 MB a file
    assert (
        sum(path.stat().st_size for path in (PACKAGE / "assets").rglob("*") if path.is_file()) <= 95_000_000
    )


def test_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: pip install hatchling")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, check=True, timeout=600,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"skymoe-{skymoe.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.relative_to(ROOT / "src").as_posix() for path in files} - packed == set()
    assert any(name.endswith("licenses/LICENSE") for name in packed)


# ---- documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_make_targets_that_documents_name_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = re.findall(
        r"(?:^|`)make (?:[A-Z_]+=\S+ )*([a-z][a-z-]+)", document.read_text(encoding="utf-8"), re.M
    )
    assert set(named) <= targets


SPEAKING = [
    *DOCUMENTS, *(ROOT / "recipes").glob("*.yaml"), ROOT / "Makefile", *SOURCES,
    *(path for room in ("examples", "benchmarks") for path in (ROOT / room).rglob("*.py")),
]  # fmt: skip
_PATH = re.compile(
    r"(?<![\w/.~-])(?:\.\./)?((?:examples|benchmarks|recipes|docs|src|tests)/[\w./-]*[\w/])(?![\w./*{<-]*[*{<])"
)


@pytest.mark.parametrize("file", SPEAKING, ids=name_of)
def test_files_that_are_spoken_of_exist(file: Path) -> None:
    """Links are tested above; this is for commands, comments and docstrings."""
    named = set(_PATH.findall(file.read_text(encoding="utf-8")))
    assert {path for path in named if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_table_has_a_row_twice(document: Path) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", document.read_text(encoding="utf-8") + "\n", re.M):
        # A row with nothing but a title begins a part; what belongs to two parts stands in both.
        for part in re.split(r"^\|[^|]+\|(?:\s*\|)+\n", table, flags=re.M):
            rows = part.splitlines()
            assert [row for row in dict.fromkeys(rows) if rows.count(row) > 1] == []


def test_commands_of_the_readme_exist() -> None:
    if importlib.util.find_spec("skymoe.cli") is None:
        pytest.skip("skymoe.cli is not there yet")
    named = set(re.findall(r"`skymoe ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    code = "import sys; sys.argv = ['skymoe', '--help']; from skymoe.cli import main; main()"
    help_text = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False
    ).stdout
    assert {name for name in named if not re.search(rf"\b{name}\b", help_text)} == set()
    assert {"demo", "ask", "caption", "classify", "count", "ground", "train", "eval", "upcycle"} <= named


def test_readme_keeps_its_place_for_results() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"<!-- results:start -->.*<!-- results:end -->", readme, re.S)
