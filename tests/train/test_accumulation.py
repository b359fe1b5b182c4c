"""A batch learnt in parts is the batch learnt whole: weighted by answer tokens, for every kind of stage."""

import re
from pathlib import Path

import pytest
import torch
from tiny_base import losses, recipe, write_corpus
from transformers import AutoModelForImageTextToText

from skymoe.models.moe import balance_loss
from skymoe.train import trainer
from skymoe.train.corpus import read_corpus
from skymoe.train.recipe import Recipe
from skymoe.train.stages import Training

pytest.importorskip("peft", reason="the extra train")
DENSE = {"kind": "dense", "name": "stage", "steps": 3}
LORA = {"kind": "lora", "name": "stage", "steps": 3, "lora": {"rank": 4, "dropout": 0.0, "targets": "linear"}}
EXPERTS = {"kind": "experts", "name": "stage", "steps": 3, "experts": 4, "balance": 0.0, "train": [".mlp."]}


def run(tiny: Path, output: Path, stage: dict, corpus: bool = False, **changes: object) -> list:
    more = {"data": {"corpus": tiny / "corpus"}} if corpus else {}
    Training(recipe(output, tiny / "llava", tiny / "samples", {**stage, **changes}, **more)).run()
    return losses(output, "stage")


@pytest.mark.parametrize("stage", [DENSE, LORA, EXPERTS], ids=["dense", "lora", "experts"])
@pytest.mark.parametrize("corpus", [False, True], ids=["sources", "corpus"])
def test_accumulation_is_the_big_batch(tiny: Path, tmp_path: Path, stage: dict, corpus: bool) -> None:
    whole = run(tiny, tmp_path / "whole", stage, corpus)
    for micro in (1, 2):
        parts = run(tiny, tmp_path / f"{micro}", stage, corpus, micro_batch=micro)
        assert [step for step, *_ in parts] == [1, 2, 3]
        assert parts == [pytest.approx(line, rel=2e-4) for line in whole]


def test_the_balance_loss_of_parts_is_their_mean(tiny: Path, tmp_path: Path) -> None:
    """F·G of a part is not that of the whole, so this is near and not equal; docs/training.md says so."""
    stage = {**EXPERTS, "balance": 0.01}
    whole, parts = run(tiny, tmp_path / "whole", stage), run(tiny, tmp_path / "parts", stage, micro_batch=1)
    assert parts[0][1] == pytest.approx(whole[0][1], abs=0.01 * 0.5)


def test_how_far_the_balance_loss_of_parts_is_from_the_whole_batch_s() -> None:
    """By E · Σ cov(F, G) over the parts: their sampling noise, which falls as one over a part's tokens."""
    torch.manual_seed(3)
    logits_TE = torch.randn(16_384, 8)
    whole, gaps = balance_loss(logits_TE), {}
    for tokens, tolerance in ((16, 0.15), (128, 0.15), (1024, 0.5)):  # fewer parts, a rougher estimate
        parts_PTE = logits_TE.view(-1, tokens, 8)
        mean = torch.stack([balance_loss(part) for part in parts_PTE]).mean()
        F_PE = torch.nn.functional.one_hot(parts_PTE.argmax(-1), 8).float().mean(1)
        G_PE = parts_PTE.softmax(-1).mean(1)
        covariance = ((F_PE - F_PE.mean(0)) * (G_PE - G_PE.mean(0))).mean(0).sum()
        gaps[tokens] = (mean - whole).item()
        assert gaps[tokens] == pytest.approx(8 * covariance.item(), abs=1e-5)
        assert gaps[tokens] * tokens == pytest.approx(1.8, rel=tolerance)


class Backwards(trainer.PictureTrainer):
    """Says whether gradients flow into a frozen tower."""

    flows: bool

    def begin(self) -> None:
        super().begin()
        layer = self.model.model.vision_tower.encoder.layers[0]
        layer.register_forward_hook(lambda _, __, out: setattr(type(self), "flows", out.requires_grad))


def test_gradient_checkpointing_leaves_a_frozen_tower_alone(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "PictureTrainer", Backwards)
    experts = {**EXPERTS, "steps": 1, "train": [".mlp.experts.", ".mlp.router."]}
    run(tiny, tmp_path, experts, gradient_checkpointing=True)
    assert Backwards.flows is False


def test_gradient_checkpointing_changes_nothing(tiny: Path, tmp_path: Path) -> None:
    stage = {**EXPERTS, "balance": 0.01}
    plain = run(tiny, tmp_path / "plain", stage)
    again = run(tiny, tmp_path / "again", stage, gradient_checkpointing=True)
    assert again == [pytest.approx(line, rel=1e-5) for line in plain]


def test_bfloat16_learns_what_float32_learns(tiny: Path, tmp_path: Path) -> None:
    plain = run(tiny, tmp_path / "fp32", LORA)
    made = recipe(tmp_path / "bf16", tiny / "llava", tiny / "samples", LORA, precision="bf16")
    model = AutoModelForImageTextToText.from_pretrained(Training(made).run())
    assert model.dtype == torch.bfloat16
    rough = losses(tmp_path / "bf16", "stage")
    assert [loss for _, loss, _ in rough] == pytest.approx([loss for _, loss, _ in plain], rel=0.05)


def test_trackers_get_what_is_logged(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from skymoe.errors import UserError

    made = recipe(tmp_path, tiny / "llava", tiny / "samples", DENSE, report_to=["nothing-of-that-name"])
    with pytest.raises(UserError, match="pip install nothing-of-that-name"):
        Training(made).run()
    assert trainer.trackers([]) == "none"


class Seen(trainer.PictureTrainer):
    """Keeps how much of each micro-batch is padding."""

    padding: list[float]

    def compute_loss(self, model: object, inputs: dict, *args: object, **kwargs: object) -> object:
        type(self).padding.append(1 - inputs["token_mask"].float().mean().item())
        return super().compute_loss(model, inputs, *args, **kwargs)


def test_conversations_of_like_length_go_together(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_corpus(tmp_path / "corpus", tiny / "samples", tasks={"caption": 1, "vqa": 1, "ground": 2})
    padding = {}
    for grouped in (True, False):
        with monkeypatch.context() as patch:
            patch.setattr(trainer, "PictureTrainer", Seen)
            if not grouped:
                patch.setattr("skymoe.train.corpus.CorpusItem.length", property(lambda item: 0))
            Seen.padding = []
            output = tmp_path / f"grouped-{grouped}"
            data = {"corpus": corpus}
            stage = {**DENSE, "batch_size": 12, "micro_batch": 2, "steps": 2}
            made: Recipe = recipe(output, tiny / "llava", tiny / "samples", stage, data=data)
            Training(made).run()
            padding[grouped] = sum(Seen.padding) / len(Seen.padding)
    assert padding[True] < 0.7 * padding[False]
    same = [losses(tmp_path / f"grouped-{grouped}", "stage") for grouped in (True, False)]
    assert same[0] == [pytest.approx(line, rel=2e-4) for line in same[1]], "and the same is learnt"


def test_a_corpus_is_read_whole_or_refused(tiny: Path, tmp_path: Path) -> None:
    import shutil

    from skymoe.errors import UserError

    items = read_corpus(tiny / "corpus")
    picture, messages = items[0].conversation()
    assert picture.is_file()
    assert [message["role"] for message in messages] == ["user", "assistant"]
    assert messages[0]["content"][0] == {"type": "image"}
    broken = tmp_path / "broken"
    shutil.copytree(tiny / "corpus", broken)
    shard = next(broken.glob("items-*.jsonl"))
    lines = shard.read_text().splitlines(keepends=True)
    shard.write_text("".join(lines[:-1]))
    with pytest.raises(UserError, match=re.escape(f"holds {len(lines) - 1} items")):
        read_corpus(broken)


def test_tagged_messages_are_read_as_parts(tiny: Path, tmp_path: Path) -> None:
    parts = read_corpus(tiny / "corpus")
    tagged = read_corpus(write_corpus(tmp_path / "tagged", tiny / "samples", messages="tagged"))
    assert [item.conversation()[1] for item in tagged] == [item.conversation()[1] for item in parts]
