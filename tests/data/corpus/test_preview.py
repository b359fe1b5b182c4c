from __future__ import annotations

import re
from pathlib import Path

import pytest

from skymoe.data.corpus.preview import write_preview
from skymoe.errors import UserError

from .conftest import Recipe, built, record, write_samples


def test_the_page_holds_its_pictures_and_boxes_and_escapes_texts(
    recipe: Recipe, tmp_path: Path, samples: Path
) -> None:
    write_samples(samples, [record(n, captions=[f"<script>alert({n})</script> seen ."]) for n in range(5)])
    corpus, _ = built(recipe())
    page = tmp_path / "page.html"
    shown = write_preview(corpus, page, per=2)
    text = page.read_text(encoding="utf-8")
    assert text.count("<article>") == shown == 10  # five tasks, two of each
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert text.count('class="box"') == 2
    assert 'class="other"' in text
    write_preview(corpus, page, per=2)
    assert page.read_text(encoding="utf-8") == text


def test_no_corpus_and_no_place_for_the_page_are_told(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished corpus"):
        write_preview(tmp_path, tmp_path / "page.html")
    corpus, _ = built(recipe())
    with pytest.raises(UserError, match="cannot be written"):
        write_preview(corpus, tmp_path / "none" / "page.html")
