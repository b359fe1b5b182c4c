"""Pictures edited while training: annotation and picture change together, and the same each time."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from skymoe.sample import Region, Sample
from skymoe.train.edits import edited
from skymoe.train.recipe import Edits

TANKS = tuple(Region("storage tank", (10.0 + 30 * i, 20.0, 30.0 + 30 * i, 40.0)) for i in range(6))


def scene(regions: tuple[Region, ...] = TANKS) -> tuple[Sample, Image.Image]:
    pixels = np.random.default_rng(0).integers(90, 110, (100, 200, 3)).astype(np.uint8)
    for region in regions:
        x1, y1, x2, y2 = map(int, region.box)
        pixels[y1:y2, x1:x2] = 230
    sample = Sample(
        "scene", "scene.png", "test", "train", "none", 200, 100,
        regions=regions, complete=frozenset({"storage tank"}),
    )  # fmt: skip
    return sample, Image.fromarray(pixels)


def test_fewer_objects_in_the_picture_and_in_the_annotation() -> None:
    sample, picture = scene()
    seen, shown = edited(sample, picture, Random(1), Edits(cutout=1.0))
    gone = set(sample.regions) - set(seen.regions)
    assert 1 <= len(gone) <= 2, "⌈r·6⌉ for r in 0.15–0.30"
    assert seen.count("storage tank") == 6 - len(gone)
    pixels = np.asarray(shown)
    for region in sample.regions:
        x1, y1, x2, y2 = map(int, region.box)
        assert pixels[y1:y2, x1:x2].mean() == (0 if region in gone else 230)


def test_the_same_numbers_edit_alike() -> None:
    sample, picture = scene()
    first, second = (edited(sample, picture, Random("7/3"), Edits(cutout=1.0)) for _ in range(2))
    assert first[0] == second[0]
    assert first[1].tobytes() == second[1].tobytes()


def test_what_cannot_be_edited_stays() -> None:
    sample, picture = scene(TANKS[:1])
    assert edited(sample, picture, Random(1), Edits(cutout=1.0)) == (sample, picture)


def test_a_share_of_the_pictures() -> None:
    sample, picture = scene()
    shares = [edited(sample, picture, Random(f"{i}"), Edits(cutout=0.3))[0] != sample for i in range(300)]
    assert 0.2 < np.mean(shares) < 0.4


def test_without_edits_no_random_number_is_drawn() -> None:
    rng = Random(5)
    before = rng.getstate()
    assert edited(*scene(), rng, Edits())[0] == scene()[0]
    assert rng.getstate() == before


def test_a_recipe_names_them(tmp_path: Path) -> None:
    from skymoe.errors import UserError
    from skymoe.train.recipe import load_recipe

    path = Path(__file__).parents[2] / "recipes" / "nano.yaml"
    recipe = load_recipe(path, ["stages.3.edits.cutout=0.5"])
    assert recipe.stages[3].edits.cutout == 0.5
    with pytest.raises(UserError, match="cutout"):
        load_recipe(path, ["stages.3.edits.cutout=1.5"])
