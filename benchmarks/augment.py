"""How many pictures a second one core masks: ours, albumentations' and a plain OpenCV loop. Prints JSON.

    python benchmarks/augment.py [--pictures 64] [--side 512] [--objects 24] [--rounds 5] [--albumentations]

All mask the same objects of the same drawn pictures and take turns in each round; the best round counts. Time is the
process's own computing time, so that other work on the machine does not count. "mask" is the masking alone, from
pixels to pixels. "cutout" is ours with everything that makes it honest: drawing r, choosing objects that overlap no
other, the new annotation. "checked" adds encoding, decoding and the independent checker, which is what `skymoe
augment` does for each picture it keeps.
albumentations is no dependency of SkyMoE: `--albumentations` runs the comparison in an environment of its own, built
once in `.cache/bench-albumentations`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[1] / ".cache" / "bench-albumentations"
REQUIREMENT = "albumentations==2.0.8"  # the last release under the MIT licence


def environment() -> Path:
    """Python of albumentations' own environment, which also sees the packages of this one."""
    python = HOME / "bin" / "python"
    if not (HOME / "complete").is_file():
        print(f"building {HOME} with {REQUIREMENT} (once)", file=sys.stderr)
        venv.create(HOME, clear=True, with_pip=True)
        own = sysconfig.get_path("purelib", vars={"base": str(HOME), "platbase": str(HOME)})
        parent = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (Path(own) / "parent.pth").write_text(parent, encoding="utf-8")
        subprocess.run([python, "-m", "pip", "install", "-q", REQUIREMENT], check=True, stdout=sys.stderr)
        (HOME / "complete").touch()
    return python


def drawn(pictures: int, side: int, objects: int) -> list[tuple[Any, Any]]:
    """Samples with that many square objects on a grid, and their pixels."""
    import numpy as np

    from skymoe.sample import Region, Sample

    across = -(-(objects**0.5) // 1)
    step = side / across
    boxes = [
        (x, y, x + step * 0.7, y + step * 0.7)
        for number in range(objects)
        for x, y in [((number % across + 0.15) * step // 1, (number // across + 0.15) * step // 1)]
    ]
    found = []
    for number in range(pictures):
        pixels = np.random.default_rng(number).integers(1, 255, (side, side, 3), dtype=np.uint8)
        regions = tuple(Region("storage tank", tuple(float(round(v)) for v in box)) for box in boxes)
        sample = Sample(
            f"drawn/{number}", "", "drawn", "train", "none", side, side, regions=regions,
            complete=frozenset({"storage tank"}),
        )  # fmt: skip
        found.append((sample, pixels))
    return found


def contestants(found: list[tuple[Any, Any]]) -> tuple[dict[str, Callable[[], int]], dict[str, float]]:
    """Name → a run over all pictures that returns how many it made; and the share of pixels in which the first
    picture's mask differs from that of the plain loop, which says whether they do the same."""
    import cv2
    import numpy as np

    from skymoe.augment import check, cutout
    from skymoe.augment.cutout import fill_holes
    from skymoe.augment.folder import decode, png
    from skymoe.augment.stencils import shape

    cv2.setNumThreads(1)
    chosen = [
        cutout(sample, pixels, variants=1).variants[0].sample.edits[0].before for sample, pixels in found
    ]

    def loop(pixels: Any, masked: Any) -> Any:
        result = pixels.copy()
        for region in masked:
            x1, y1, x2, y2 = (round(v) for v in region.box)
            cv2.rectangle(result, (x1, y1), (x2 - 1, y2 - 1), (0, 0, 0), -1)
        return result

    def ours(pixels: Any, masked: Any) -> Any:
        height, width = pixels.shape[:2]
        return fill_holes(pixels, [shape(region, width, height) for region in masked], (), "zero")

    def over(one: Callable[[Any, Any], Any]) -> Callable[[], int]:
        def run() -> int:
            for (_, pixels), masked in zip(found, chosen, strict=True):
                one(pixels, masked)
            return len(found)

        return run

    def whole() -> int:
        return sum(len(cutout(sample, pixels).variants) for sample, pixels in found)

    def checked() -> int:
        made = 0
        for sample, pixels in found:
            before = decode(png(pixels))
            for variant in cutout(sample, pixels).variants:
                after = decode(png(variant.pixels))
                made += check(sample.replace(pair=sample.id), variant.sample, before, after) == []
        return made

    makers = {"opencv loop, mask": loop, "skymoe, mask": ours}
    try:
        import albumentations
    except ImportError:
        pass
    else:
        # Its way to mask annotated objects: a dropout that is told the boxes and how much of each.
        holes = {"num_holes_range": (1, 1), "hole_height_range": (1.0, 1.0), "hole_width_range": (1.0, 1.0)}
        drop = albumentations.Compose(
            [albumentations.ConstrainedCoarseDropout(**holes, bbox_labels=[0], fill=0, p=1.0)],
            bbox_params=albumentations.BboxParams(format="pascal_voc", label_fields=["labels"]),
        )

        def theirs(pixels: Any, masked: Any) -> Any:
            boxes = np.array([region.box for region in masked])
            return drop(image=pixels, bboxes=boxes, labels=[0] * len(boxes))["image"]

        makers["albumentations, ConstrainedCoarseDropout"] = theirs
    expected = loop(found[0][1], chosen[0])
    differing = {
        name: float((one(found[0][1], chosen[0]) != expected).any(axis=2).mean())
        for name, one in makers.items()
    }
    runs = {name: over(one) for name, one in makers.items()}
    return {**runs, "skymoe, cutout": whole, "skymoe, checked": checked}, differing


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--objects", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--albumentations", action="store_true")
    options = parser.parse_args()
    if options.albumentations and Path(sys.prefix).resolve() != HOME:
        # Only within one process can they take turns.
        python = environment()
        os.execv(python, [str(python), *sys.argv])

    import cv2
    import numpy as np

    runs, differing = contestants(drawn(options.pictures, options.side, options.objects))
    best = dict.fromkeys(runs, 0.0)
    for number in range(options.rounds):
        for name, run in runs.items():
            start = time.process_time()
            made = run()
            best[name] = max(best[name], made / (time.process_time() - start))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    result = {
        "benchmark": "augment",
        "pictures": options.pictures,
        "side": options.side,
        "objects": options.objects,
        "cores": 1,
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "numpy": np.__version__,
        "pixels_unlike_the_loop": differing,
        "pictures_per_second": {name: round(value, 1) for name, value in best.items()},
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
