"""The demonstration: the five tasks on the bundled pictures, as plain data and as one self-contained page."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skymoe.answer import Answer
from skymoe.engine.opened import Opened, opened
from skymoe.errors import UserError
from skymoe.tasks import Query

if TYPE_CHECKING:
    from skymoe.engine import SkyMoe
    from skymoe.engine.routing import LayerRouting

ASSETS = Path(__file__).resolve().parent / "assets"
PICTURES = ASSETS / "demo"
_KINDS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}
SCENES_SHOWN = 3

# What is worth asking depends on the picture; a file of another name is asked what comes last.
_TANKS = (
    Query("count", "storage tank"),
    Query("ground", "the largest storage tank"),
    Query("ground", "the top-left storage tank"),
    Query("vqa", "Is there a storage tank in the image?"),
    Query("vqa", "Is there an airplane in the image?"),
)
_QUESTIONS: dict[str, tuple[Query, ...]] = {
    "storage-tanks": _TANKS,
    "airplane": (
        Query("vqa", "Is there an airplane in the image?"),
        Query("vqa", "Is there a storage tank in the image?"),
        Query("count", "storage tank"),
    ),
    "": (
        Query("vqa", "What is the theme of this picture?"),
        Query("vqa", "Is there a storage tank in the image?"),
    ),
}


@dataclass(frozen=True)
class Shown:
    """One picture with everything that was said about it."""

    name: str
    picture: Opened
    caption: Answer
    scenes: Sequence[tuple[str, float]]
    answers: Sequence[tuple[str, Answer]]  # the question as a person would put it, and its answer
    routing: Sequence[LayerRouting]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, without the pixels."""
        return {
            "image": self.name,
            "caption": self.caption.to_dict(),
            "scenes": [{"label": label, "probability": chance} for label, chance in self.scenes],
            "answers": [{"question": question, **answer.to_dict()} for question, answer in self.answers],
            "routing": [
                {
                    "layer": layer.layer,
                    "picture_load": layer.picture_load,
                    "answer_load": layer.answer_load,
                    "picture_map": layer.picture_map,
                }
                for layer in self.routing
            ],
        }


def pictures(folder: Path = PICTURES) -> list[Path]:
    """The pictures to be shown, those with most to ask about first."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _KINDS)
    if not found:
        raise UserError(f"no pictures in {folder}: reinstall skymoe")
    names = list(_QUESTIONS)
    return sorted(found, key=lambda path: names.index(path.stem) if path.stem in names else len(names))


def show(model: SkyMoe, paths: Sequence[Path]) -> Iterator[Shown]:
    """Ask everything about each picture; one comes as soon as it is answered."""
    from skymoe.engine.routing import trace

    for path in paths:
        picture = opened(path)
        queries = _QUESTIONS.get(path.stem, _QUESTIONS[""])
        caption = model.caption(picture)
        answers = model.answer(picture, queries)
        yield Shown(
            path.name,
            picture,
            caption,
            model.rank(picture)[:SCENES_SHOWN],
            [(_worded(query), answer) for query, answer in zip(queries, answers, strict=True)],
            trace(model, picture, Query("caption"), caption.text),
        )


def facts(model: SkyMoe) -> dict[str, Any]:
    """What the page says about the model."""
    from skymoe.models.skymoe import activated_parameters

    config = model.model.config
    total = sum(weight.numel() for weight in model.model.parameters())
    experts = getattr(config, "num_experts", 0)
    return {
        "model": Path(model.name).name,
        "parameters": total,
        "activated": activated_parameters(model.model, config) if experts else total,
        "experts": experts,
        "top_k": getattr(config, "num_experts_per_tok", 0),
        "layers": config.get_text_config().num_hidden_layers,
        "expert_layers": len(config.expert_layers) if experts else 0,
    }


def page(shown: Sequence[Shown], about: dict[str, Any], seconds: float) -> str:
    """The page: pictures inside it, nothing to be fetched from anywhere, all text escaped."""
    from jinja2 import Environment, StrictUndefined

    # jinja2 comes with torch and with Transformers' chat templates.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((ASSETS / "templates" / "demo.html").read_text(encoding="utf-8"))
    return template.render(
        cards=[_card(one) for one in shown], about=about, seconds=seconds, day=time.strftime("%Y-%m-%d")
    )


def _worded(query: Query) -> str:
    if query.task == "count":
        return f"How many {query.subject}s?"
    return f"Where is {query.subject}?" if query.task == "ground" else query.subject or ""


def _card(shown: Shown) -> dict[str, Any]:
    width, height = shown.picture.size
    boxes = [
        {
            "points": " ".join(f"{edge:.1f}" for edge in box.polygon()),
            "x": box.x1,
            "y": box.y1,
            "number": number,
        }
        for number, (_, answer) in enumerate(
            (pair for pair in shown.answers if pair[1].task == "ground"), start=1
        )
        for box in answer.boxes
    ]
    return {
        "name": shown.name,
        "source": _data_uri(shown.picture),
        "width": width,
        "height": height,
        "boxes": boxes,
        "caption": shown.caption,
        "scenes": shown.scenes,
        "answers": [{"question": q, "answer": a, "text": _short(a)} for q, a in shown.answers],
        "routing": shown.routing,
    }


def _short(answer: Answer) -> str:
    if answer.task == "ground":
        return ", ".join(" ".join(f"{edge:.0f}" for edge in box.xyxy) for box in answer.boxes) or answer.text
    return str(answer.number) if answer.task == "count" and answer.number is not None else answer.text


def _data_uri(picture: Opened) -> str:
    memory = io.BytesIO()
    picture.picture.save(memory, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode()
