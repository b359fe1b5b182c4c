"""Recipes: the shipped one is valid, mistakes are named in one line."""

from pathlib import Path

import pytest

from skymoe.errors import UserError
from skymoe.train.recipe import load_recipe

NANO = Path(__file__).parents[2] / "recipes" / "nano.yaml"


def test_the_shipped_recipe_is_valid_and_ends_with_experts() -> None:
    recipe = load_recipe(NANO)
    assert [stage.kind for stage in recipe.stages] == ["tower", "dense", "dense", "experts"]
    assert recipe.stages[-1].experts == 8
    assert recipe.stages[-1].top_k == 2


def test_overrides_reach_lists_and_mappings() -> None:
    recipe = load_recipe(NANO, ["stages.0.steps=7", "data.questions.caption=1", "seed=5"])
    assert (recipe.stages[0].steps, recipe.data.questions["caption"], recipe.seed) == (7, 1, 5)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages.0.stepz=7", "did you mean 'steps'"),
        ("seed=many", "seed"),
        ("stages.9.steps=7", "nothing at"),
        ("seed", "name.name=value"),
        ("stages.0.steps=0", "greater than 0"),
    ],
)
def test_mistakes_are_named_in_one_line(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_recipe(NANO, [override])
    assert "\n" not in str(caught.value)


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recipe at"):
        load_recipe(tmp_path / "absent.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1, 2")
    with pytest.raises(UserError, match="not valid YAML"):
        load_recipe(broken)
