from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skymoe.data.corpus.recipe import load_corpus_recipe
from skymoe.data.sources import FORMATS, SOURCES
from skymoe.errors import UserError

from .conftest import Recipe

RECIPES = Path(__file__).parents[3] / "recipes"


@pytest.mark.parametrize("name", ["corpus-nano", "corpus-skymoe"])
def test_the_recipes_that_come_along_can_be_read(name: str) -> None:
    recipe = load_corpus_recipe(RECIPES / f"{name}.yaml")
    assert recipe.name == name
    assert all(source.name in SOURCES or source.name in FORMATS for source in recipe.sources)
    assert not any(source.split.startswith("test") for source in recipe.sources)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"formt": "jsonl"}, "did you mean 'format'"),
        ({"tasks": {"cuont": 1}}, "did you mean 'count'"),
        ({"sources": [{"name": "dior", "wieght": 2}]}, "did you mean 'weight'"),
        ({"sources": [{"name": "dior", "tasks": {"grund": 2}}]}, "did you mean 'ground'"),
        ({"pictures": {"stor": "link"}}, "did you mean 'store'"),
        ({"sources": []}, "sources"),
        ({"sources": [{"name": "dior"}, {"name": "dior"}]}, "twice"),
        ({"sources": [{"name": "dior", "as": "../up"}]}, "as"),
        ({"shard": 0}, "shard"),
        ({"format": "csv"}, "format"),
        ({"pictures": {"check": "head"}}, "colours: true"),
        ({"pictures": {"check": "head"}, "colours": False}, "duplicates: near"),
    ],
)
def test_a_mistake_is_one_line_with_the_remedy(recipe: Recipe, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        load_corpus_recipe(recipe(**changes))
    assert "\n" not in str(caught.value)


def test_values_can_be_set_from_outside(recipe: Recipe) -> None:
    loaded = load_corpus_recipe(recipe(), ["sources.0.cap=7", "seed=3", "pictures.store=link"])
    assert (loaded.sources[0].cap, loaded.seed, loaded.pictures.store) == (7, 3, "link")
    for wrong in ("seed", "sources.9.cap=1", "size=many"):
        with pytest.raises(UserError):
            load_corpus_recipe(recipe(), [wrong])


def test_no_file_and_no_yaml_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recipe"):
        load_corpus_recipe(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1,\nb: }")
    with pytest.raises(UserError, match="YAML"):
        load_corpus_recipe(tmp_path / "bad.yaml")


def test_the_digest_is_of_the_content_and_not_of_the_place(recipe: Recipe) -> None:
    one = load_corpus_recipe(recipe()).digest
    assert load_corpus_recipe(recipe(output="elsewhere")).digest == one
    assert load_corpus_recipe(recipe(seed=8)).digest != one
