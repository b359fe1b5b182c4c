"""How fast is a corpus built, and does its memory stay flat? Prints JSON.

    python benchmarks/corpus.py --items 1000000 --workers 2
    python benchmarks/corpus.py --items 20000 --pixels   # every picture decoded, hashed and compared

Writes a data set of our own form into a temporary folder (drawn pictures with boxes, captions, a scene), builds a
corpus of it by `skymoe data build`, once whole and once with a tenth of the pictures, and reads the peak memory of
all of its processes. Flat means: the two peaks differ by little more than the arrays of numbers that a build keeps
(some 60 bytes an item). `cpu_seconds` is what the build computed, `seconds` how long it took. Without --pixels
pictures are known by name: 64 pictures are drawn and linked many times.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw

ITEMS_A_PICTURE = 8
DRAWN = 64
SIDE = 256
SCENES = ("airport", "beach", "bridge", "farmland", "forest", "harbor", "river", "storage tanks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pixels", action="store_true")
    parser.add_argument("--format", choices=("jsonl", "parquet"), default="parquet")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="skymoe-corpus-") as name:
        folder = Path(name)
        runs = [
            measure(folder / str(items), items // ITEMS_A_PICTURE, arguments)
            for items in (arguments.items // 10, arguments.items)
        ]
    small, large = runs
    grown = large["peak_mb"] - small["peak_mb"]
    print(
        json.dumps(
            {
                "benchmark": "corpus",
                "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
                "workers": arguments.workers,
                "pixels": arguments.pixels,
                "format": arguments.format,
                "runs": runs,
                "bytes_an_item": round(grown * 1e6 / (large["items"] - small["items"]), 1),
            },
            indent=1,
        )
    )


def measure(folder: Path, pictures: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds, items and peak memory of one build."""
    pixels = arguments.pixels
    write_samples(folder / "samples", pictures, pixels)
    recipe = {
        "name": "bench", "output": str(folder / "corpus"), "format": arguments.format, "shard": 20_000,
        "colours": pixels, "duplicates": "near" if pixels else "exact",
        "pictures": {"check": "decode" if pixels else "head", "store": "link"},
        "tasks": {"caption": 1, "classify": 1, "vqa": 2, "count": 2, "ground": 2},
        "sources": [{"name": "samples", "root": str(folder / "samples")}],
    }  # fmt: skip
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
    command = [
        sys.executable,
        "-m",
        "skymoe",
        "data",
        "build",
        str(path),
        "--workers",
        str(arguments.workers),
        "--json",
    ]
    started, used = time.perf_counter(), cpu_of_children()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watch = Peak(process.pid)
    said, _ = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"the build failed with {process.returncode}")
    manifest = json.loads(said)
    made = manifest["totals"]["items"]["in"]
    return {
        "pictures": pictures,
        "items_made": made,
        "items": manifest["items"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_of_children() - used, 1),
        "load_average": round(os.getloadavg()[0], 1),
        "items_a_second": round(made / seconds),
        "peak_mb": round(watch.stop() / 1e6, 1),
    }


def cpu_of_children() -> float:
    """Seconds that finished processes of this one have computed: it hardly depends on what else the machine does."""
    if sys.platform == "win32":
        return 0.0
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Peak:
    """The most memory (bytes) that a process and those it started have together, looked at ten times a second.

    Proportional set size: what processes share is counted once. Linux only; elsewhere 0.
    """

    def __init__(self, pid: int) -> None:
        self.pid, self.peak, self._over = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self.peak

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self.peak = max(self.peak, sum(map(_memory, [self.pid, *_children(self.pid)])))


def _memory(pid: int) -> int:
    try:
        for text in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if text.startswith("Pss:"):
                return int(text.split()[1]) * 1024
    except (OSError, IndexError):
        pass
    return 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_children(int(child))]
    except OSError:
        pass
    return found


def write_samples(folder: Path, pictures: int, pixels: bool) -> None:
    """A folder as `skymoe augment` writes one: pictures, and samples.jsonl with boxes, captions and scenes."""
    folder.mkdir(parents=True)
    with (folder / "samples.jsonl").open("w", encoding="utf-8") as file:
        for number in range(pictures):
            rng = Random(number if pixels else number % DRAWN)
            boxes = [place(rng) for _ in range(rng.randint(2, 9))]
            image = folder / "pictures" / f"{number // 1000}" / f"{number}.jpg"
            image.parent.mkdir(parents=True, exist_ok=True)
            if pixels or number < DRAWN:
                draw(boxes, rng).save(image, quality=85)
            else:
                drawn = number % DRAWN
                os.link(folder / "pictures" / f"{drawn // 1000}" / f"{drawn}.jpg", image)
            scene = SCENES[number % len(SCENES)]
            record = {
                "id": f"bench/{number}", "image": str(image.relative_to(folder)), "source": "bench", "split": "train",
                "licence": "CC0-1.0", "width": SIDE, "height": SIDE, "label": scene, "labels": SCENES,
                "captions": [f"Picture {number} shows a {scene} with {len(boxes)} storage tanks ."],
                "regions": [{"name": "storage tank", "box": box} for box in boxes],
                "complete": ["storage tank"], "absent": ["airplane", "ship"],
            }  # fmt: skip
            file.write(json.dumps(record) + "\n")


def place(rng: Random) -> tuple[int, int, int, int]:
    side = rng.randint(12, 40)
    x, y = rng.randint(0, SIDE - side), rng.randint(0, SIDE - side)
    return x, y, x + side, y + side


def draw(boxes: list[tuple[int, int, int, int]], rng: Random) -> Image.Image:
    """Coarse noise, so that no two pictures are alike, with a disc in each box."""
    coarse = Image.frombytes("RGB", (12, 12), rng.randbytes(432))
    picture = coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for box in boxes:
        pen.ellipse(box, fill=(235, 235, 235))
    return picture


if __name__ == "__main__":
    main()
