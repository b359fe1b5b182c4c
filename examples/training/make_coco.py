"""A small COCO data set to try fine-tuning on, made of the pictures of this package: swimming pools, drawn into them.

python examples/training/make_coco.py my-data [PICTURES]        writes my-data/instances.json and my-data/images/

With Airbus Oil Storage below SKYMOE_DATA (or ../shared/data), --airbus takes real tiles with storage tanks instead.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFilter

import skymoe
from skymoe.data.sources import get_source
from skymoe.pictures import open_picture, open_sample

EXAMPLES = Path(__file__).parents[1]
SIDE = 224
BACKGROUNDS = sorted(
    [
        *(Path(skymoe.__file__).parent / "assets" / "demo").glob("*.[jt][pi][gf]"),
        *(EXAMPLES / "augment").glob("*.jpg"),
    ],
    key=lambda path: path.name,
)
# (name, picture, boxes as COCO has them: x, y, width, height)
Made = tuple[str, Image.Image, list[list[int]]]


def drawn(number: int, rng: Random) -> Iterator[Made]:
    """Pieces of the package's pictures with up to six pools. The name begins with the picture a piece is from."""
    for place in range(number):
        background = BACKGROUNDS[place % len(BACKGROUNDS)]
        picture = open_picture(background)
        left, top = rng.randint(0, picture.width - SIDE), rng.randint(0, picture.height - SIDE)
        piece = picture.crop((left, top, left + SIDE, top + SIDE))
        pools: list[list[int]] = []
        wanted = rng.choice((0, 1, 1, 2, 2, 3, 4, 6))
        while len(pools) < wanted:
            width, height = rng.randint(22, 48), rng.randint(18, 40)
            x, y = rng.randint(2, SIDE - width - 2), rng.randint(2, SIDE - height - 2)
            if all(
                x > a + w + 4 or a > x + width + 4 or y > b + h + 4 or b > y + height + 4
                for a, b, w, h in pools
            ):
                _pool(piece, (x, y, x + width, y + height), rng)
                pools.append([x, y, width, height])
        yield f"{background.stem}_{place:03d}.jpg", piece, pools


def _pool(picture: Image.Image, box: tuple[int, int, int, int], rng: Random) -> None:
    """A light rim, blue water and some glitter, with soft edges."""
    mask = Image.new("L", picture.size)
    shape = ImageDraw.Draw(mask).ellipse if rng.random() < 0.4 else ImageDraw.Draw(mask).rectangle
    shape(box, fill=255)
    picture.paste((226, 222, 210), mask=mask.filter(ImageFilter.GaussianBlur(0.7)))
    inner = Image.new("L", picture.size)
    shape = ImageDraw.Draw(inner).ellipse if shape.__name__ == "ellipse" else ImageDraw.Draw(inner).rectangle
    shape((box[0] + 3, box[1] + 3, box[2] - 3, box[3] - 3), fill=255)
    water = (rng.randint(30, 70), rng.randint(150, 190), rng.randint(200, 235))
    picture.paste(water, mask=inner.filter(ImageFilter.GaussianBlur(0.7)))


def airbus(number: int, rng: Random) -> Iterator[Made]:
    """Tiles of the test scenes, which nano was not trained on."""
    samples = list(get_source("airbus-oil-storage").samples("test"))
    for sample in rng.sample(samples, min(number, len(samples))):
        boxes = [
            [math.floor(x1), math.floor(y1), math.ceil(x2) - math.floor(x1), math.ceil(y2) - math.floor(y1)]
            for x1, y1, x2, y2 in (region.box for region in sample.regions)
        ]
        scene, *place = sample.id.split("/")[1:]
        yield f"{scene}_{'-'.join(place)}.jpg", open_sample(sample), boxes


def write(folder: Path, category: str, made: Iterator[Made]) -> tuple[int, int]:
    """The pictures and the json; numbers of pictures and of objects."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for name, picture, boxes in made:
        picture.save(folder / "images" / name, quality=92)
        images.append(
            {"id": len(images) + 1, "file_name": name, "width": picture.width, "height": picture.height}
        )
        for box in boxes:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": len(images), "category_id": 1, "bbox": box,
                 "area": box[2] * box[3], "iscrowd": 0}
            )  # fmt: skip
    coco = {"images": images, "categories": [{"id": 1, "name": category}], "annotations": annotations}
    (folder / "instances.json").write_text(json.dumps(coco), encoding="utf-8")
    return len(images), len(annotations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("pictures", type=int, nargs="?", default=120)
    parser.add_argument("--airbus", action="store_true", help="real tiles with storage tanks")
    given = parser.parse_args()
    category = "storage tank" if given.airbus else "swimming pool"
    made = (airbus if given.airbus else drawn)(given.pictures, Random(7))
    pictures, objects = write(given.folder, category, made)
    print(f"{given.folder}/instances.json: {pictures} pictures, {objects} {category}s")


if __name__ == "__main__":
    main()
