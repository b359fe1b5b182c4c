"""A set in the style of MGRS-Bench, in small: `MGRS-Bench/samples.jsonl` with pictures beside it, test split only."""

from __future__ import annotations

import json
from pathlib import Path

from data.sources.miniatures.drawn import SIZE, draw
from skymoe.sample import Expression, Question, Region, Sample

TANKS = (Region("storage tank", (4.0, 4.0, 16.0, 16.0)), Region("storage tank", (20.0, 4.0, 32.0, 16.0)))


def write(root: Path) -> None:
    home = root / "MGRS-Bench"
    samples = [
        Sample(
            f"mgrs/{number}", f"images/{number}.png", "mgrs-style", "test", "research use", *SIZE,
            captions=(f"Two tanks in picture {number} .",), label="storage_tank", labels=("port", "storage_tank"),
            regions=TANKS, complete=frozenset({"storage tank", "ship"}),
            expressions=(Expression("the left tank", TANKS[0].box), Expression("the right tank", TANKS[1].box)),
            questions=(
                Question("How many tanks are there?", "2", "count"), Question("Is there a ship?", "no", "presence")
            ),
        )
        for number in range(2)
    ]  # fmt: skip
    for sample in samples:
        draw(home / sample.image, [(region.name, region.box) for region in sample.regions])
    lines = [json.dumps(sample.to_dict()) + "\n" for sample in samples]
    (home / "samples.jsonl").write_text("".join(lines), encoding="utf-8")
