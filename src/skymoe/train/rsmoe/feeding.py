"""From a sample to the rows an RS-MoE learns from: picture, one instruction, all its answers, and what experts find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import torch
from torch import Tensor

from skymoe.data.findings import SEPARATOR, Findings, derive, told_words
from skymoe.data.findings.captions import read_caption
from skymoe.errors import UserError
from skymoe.models.rsmoe import EXPERT_NAMES, EXPERT_TASKS, RsMoeConfig, RsMoeProcessor, plain_task
from skymoe.sample import Sample
from skymoe.tasks import TASKS

from ..conversation import ConversationEncoder, Turn, pack
from ..corpus import CorpusItem
from ..feeding import CANONICAL_SHARE, questions_on
from ..pixels import TrainingPixels
from ..recipe_rsmoe import EncoderStage, SpecialistStage
from .sharing import ROWS

IGNORED_LABEL = -100
Messages = list[dict[str, Any]]


class RowFeeding:
    """Makes a picture with its rows ready (`prepare`, in the workers), and a batch of them (`collate`)."""

    def __init__(
        self,
        processor: RsMoeProcessor,
        config: RsMoeConfig,
        pixels: TrainingPixels,
        most: Mapping[str, int],
        stage: EncoderStage | SpecialistStage,
    ) -> None:
        self.processor, self.pixels, self.most, self.stage = processor, pixels, dict(most), stage
        self.encoder = ConversationEncoder(processor)
        tokenizer = processor.tokenizer
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        self.experts = tuple(config.expert_names)
        self.places = [{word: place for place, word in enumerate(words)} for words in config.prompt_words]

    def prepare(self, item: Sample | CorpusItem, rng: Random) -> dict[str, Any]:
        """Pixels (3, H, W) and a list of rows; see `_row`."""
        if isinstance(item, CorpusItem):
            raise UserError(
                "data.corpus: an RS-MoE learns from sources, whose captions tell what its experts find"
            )
        seen, pixel_values = self.pixels(item, rng)
        asked = rows_on(seen, rng, self.most)
        if not asked:
            seen, pixel_values = self.pixels(item, rng, whole=True)
            asked = rows_on(seen, rng, self.most)
        if not asked:
            raise UserError(
                f"{item.source}: nothing can be asked of {item.id} for {', '.join(self.most)}: ask more in "
                "data.questions, or leave the source out with weight 0"
            )
        findings = derive(seen)
        if isinstance(self.stage, EncoderStage):
            asked += sub_tasks(findings, rng, self.stage.sub_tasks)
        own = isinstance(self.stage, SpecialistStage) and rng.random() < self.stage.generated
        rows = [self._row(conversations, seen, findings, rng) for conversations in asked]
        return {"pixel_values": pixel_values, "rows": rows, "own": own}

    def _row(
        self, conversations: list[Messages], seen: Sample, findings: Findings, rng: Random
    ) -> dict[str, Any]:
        """Conversations with the same question as one row: the prefix up to the question's last token, a turn for each
        answer, the bare question, and with experts what they find, what they are shown, and what the router tells."""
        encoded = [self.encoder.encode(messages) for messages in conversations]
        question = encoded[0][1].tokens[: -encoded[0][1].answer_length]
        prefix = [*encoded[0][0], *question[:-1]]
        # Each turn begins with the question's last token, which predicts the first of the answer.
        turns = [
            Turn([question[-1], *turn.tokens[-turn.answer_length :]], turn.answer_length)
            for _, turn in encoded
        ]
        row: dict[str, Any] = {"prefix": prefix, "turns": turns, "question": question_of(conversations[0])}
        if isinstance(self.stage, SpecialistStage):
            row["found"] = [findings.of(expert) for expert in self.experts]
            row["shown"] = [self._noisy(findings.of(expert), rng) for expert in self.experts]
            row["told"] = self._told(seen, row["question"])
        return row

    def _noisy(self, items: Sequence[str], rng: Random) -> tuple[str, ...]:
        """As experts err: nothing found, or not all."""
        assert isinstance(self.stage, SpecialistStage)
        if rng.random() < self.stage.emptied:
            return ()
        return tuple(item for item in items if rng.random() >= self.stage.dropped)

    def _told(self, seen: Sample, question: str) -> list[dict[int, int]]:
        """For each expert the words (their places) of which it is known whether it is to be told them: those of the
        picture's own findings and what the question names, 1; the others 0, where captions tell what there is."""
        asked = tuple(mention.name for mention in read_caption(question)[0])
        found = told_words(seen)
        known = []
        for expert, places in zip(self.experts, self.places, strict=True):
            here = {*found[expert], *(asked if expert != "theme" else ())}
            sure = bool(found[expert]) if expert == "theme" else bool(seen.captions)
            known.append({place: int(word in here) for word, place in places.items() if sure or word in here})
        return known

    def collate(self, batch: list[dict[str, Any]]) -> dict[str, Any]:
        """Model inputs of B rows on the batch's pictures: those of `pack`, `instruction_ids` and `instruction_mask`
        (B, I), `picture_of_row` (B,), with experts `findings`, `sub_labels` (B, E, F) and `word_labels` (B, E, M)."""
        rows = [row for item in batch for row in item["rows"]]
        inputs: dict[str, Any] = dict(pack([(row["prefix"], row["turns"]) for row in rows], self.pad))
        del inputs["token_mask"]
        inputs |= self.processor.instruction([row["question"] for row in rows])
        inputs["pixel_values"] = torch.stack([item["pixel_values"] for item in batch])
        inputs[ROWS] = torch.tensor([place for place, item in enumerate(batch) for _ in item["rows"]])
        inputs["answers_only"] = True
        if self.experts:
            inputs["sub_labels"] = self._findings(rows, "found")["sub_labels"]
            if not batch[0]["own"]:  # else the model finds by itself
                inputs["findings"] = self._findings(rows, "shown")["findings"]
            if most := max(map(len, self.places)):
                inputs["word_labels"] = self._word_labels(rows, most)
        return inputs

    def _findings(self, rows: list[dict[str, Any]], kind: str) -> dict[str, Tensor]:
        return self.processor.findings(
            [[fitting(self.processor, items) for items in row[kind]] for row in rows]
        )

    def _word_labels(self, rows: list[dict[str, Any]], most: int) -> Tensor:
        labels = torch.full((len(rows), len(self.experts), most), IGNORED_LABEL)
        for number, row in enumerate(rows):
            for expert, known in enumerate(row["told"]):
                for place, value in known.items():
                    labels[number, expert, place] = value
        return labels


def rows_on(sample: Sample, rng: Random, most: Mapping[str, int]) -> list[list[Messages]]:
    """Rows on one picture, each a list of conversations with one question: a picture's different captions (at most
    `most["caption"]`) together, every other question alone."""
    rows: list[list[Messages]] = []
    for name, limit in most.items():
        if name != "caption":
            rows += [[messages] for messages in questions_on(sample, rng, {name: limit})]
            continue
        queries = TASKS[name].queries(sample, rng)
        if not queries or not limit:
            continue
        different = list(dict.fromkeys(queries[0].references))
        wording = None if rng.random() < CANONICAL_SHARE else rng.random()
        conversations = []
        for caption in rng.sample(different, min(limit, len(different))):
            words = None if wording is None else Random(wording)  # the same words for each caption
            query = replace(queries[0], target=caption)
            conversations.append(TASKS[name].messages(query, words, with_answer=True))
        rows.append(conversations)
    return rows


def sub_tasks(findings: Findings, rng: Random, most: int) -> list[list[Messages]]:
    """Sub-tasks as plain instructions, of those that something was found for."""
    known = [
        (findings.of(name), plain_task(task))
        for name, task in zip(EXPERT_NAMES, EXPERT_TASKS, strict=True)
        if findings.of(name)
    ]
    return [
        [
            [
                {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
                {"role": "assistant", "content": [{"type": "text", "text": SEPARATOR.join(items)}]},
            ]
        ]
        for items, question in rng.sample(known, min(most, len(known)))
    ]


def fitting(processor: RsMoeProcessor, items: Sequence[str]) -> str:
    """The first of the items, as many as fit into a finding with its end."""
    text = ""
    for item in items:
        longer = f"{text}{SEPARATOR}{item}" if text else item
        if (
            len(processor.tokenizer(longer, add_special_tokens=False)["input_ids"])
            >= processor.finding_length
        ):
            break
        text = longer
    return text


def question_of(messages: Messages) -> str:
    """The bare question of a conversation."""
    return "".join(part["text"] for part in messages[0]["content"] if part["type"] == "text")
