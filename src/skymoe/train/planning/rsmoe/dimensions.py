"""What parameters, memory and arithmetic of an RS-MoE follow from, and what a stage of its training says.

Q visual tokens, P soft-prompt tokens, E experts, F tokens of a finding; a row is a picture with one instruction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from ..architecture import Architecture, Shapes, Tower, decoder_of
from ..stage import Parameters, StageSettings
from ..tensors import TOWER, count

if TYPE_CHECKING:
    from ..schedule import Answering
    from ..tape import Block, Dtypes

DECODER, QFORMER, ROUTER = "model.language_model.decoder.", "model.qformer.", "model.router."


@dataclass(frozen=True, slots=True)
class Reader:
    """The Q-Former: `queries` tokens, `every` how many layers one that reads the tower's features, `channels` wide;
    `narrowed`: through a projection. `dropout` of what a layer adds."""

    hidden: int
    width: int
    layers: int
    heads: int
    every: int
    queries: int
    channels: int
    narrowed: bool
    dropout: float


@dataclass(frozen=True, slots=True)
class RsMoeArchitecture(Architecture):
    """An RS-MoE; without `names` it is that of stage I. `experts` stays 0: what other parts of the planner call so are
    experts inside of a decoder, of which a token passes through a few. `words`: how many each may be told."""

    reader: Reader = field(kw_only=True)
    names: tuple[str, ...] = ()
    prompt_length: int = 0
    finding_length: int = 0
    instructed: bool = False  # an Instruction Router, or else one prompt for all
    router_layers: int = 0
    router_heads: int = 1
    words: tuple[int, ...] = ()
    rank: int = 0
    targets: tuple[str, ...] = ()

    @property
    def streams(self) -> int:
        """Rows of the decoder for each row: E, or 1 in stage I."""
        return max(1, len(self.names))

    @property
    def described(self) -> str:
        if not self.names:
            return "one decoder (stage I)"
        router = "Instruction Router" if self.instructed else "no router"
        return f"{len(self.names)} experts of one decoder (LoRA, rank {self.rank}), {router}"


def rsmoe_architecture(settings: dict[str, Any], name: str) -> RsMoeArchitecture:
    """From arguments of `RsMoeConfig` (or its `to_dict()`). Loads transformers.

    Raises:
        ValueError: the configuration is impossible.
    """
    from skymoe.models.rsmoe import RsMoeConfig

    config = RsMoeConfig(**{key: value for key, value in settings.items() if key not in NOT_SETTINGS})
    vision: Any = config.vision_config
    read: Any = config.qformer_config
    text: Any = config.text_config
    experts = config.num_experts
    instructed = bool(experts) and config.router == "instruction"
    patch = getattr(vision, "patch_size", 32)
    return RsMoeArchitecture(
        name=name,
        decoder=decoder_of(text.to_dict(), name, config.tie_word_embeddings),
        tower=Tower(vision.model_type, vision.image_size, patch, vision.hidden_size),
        image_tokens=config.image_seq_length,
        config=config.to_dict(),
        reader=Reader(
            hidden=read.hidden_size,
            width=read.intermediate_size,
            layers=read.num_hidden_layers,
            heads=read.num_attention_heads,
            every=read.cross_attention_frequency,
            queries=config.num_query_tokens,
            channels=read.encoder_hidden_size,
            narrowed=config.feature_width is not None,
            dropout=read.hidden_dropout_prob,
        ),
        names=tuple(config.expert_names),
        prompt_length=config.prompt_length if experts else 0,
        finding_length=config.finding_length if experts else 0,
        instructed=instructed,
        router_layers=config.router_layers if instructed else 0,
        router_heads=config.router_heads,
        words=tuple(len(some) for some in config.prompt_words) if instructed else (),
        rank=config.lora_rank if experts else 0,
        targets=tuple(config.lora_targets) if experts else (),
    )


NOT_SETTINGS = {"model_type", "architectures", "transformers_version", "dtype", "torch_dtype", "auto_map"}


@dataclass(frozen=True, slots=True)
class RowStage(StageSettings):
    """A stage of an RS-MoE. A sample is a picture with `rows`, each of `text_tokens` beside what the picture takes
    (rows are padded to the longest), of which `answer_tokens` are learnt, and an instruction of `instruction_tokens`.

    Experts also practise their sub-tasks: `head_tokens` before the picture, at most `task_tokens` after it, and of
    their findings `found_tokens` each. In a share `generated` of the steps they find by themselves. `becomes`: the
    architecture that the stage leaves, where that is another one.
    """

    rows: int = 1
    instruction_tokens: int = 8
    head_tokens: int = 1
    task_tokens: int = 16
    found_tokens: int = 0
    generated: float = 0.0
    becomes: RsMoeArchitecture | None = None

    @property
    def model(self) -> RsMoeArchitecture:
        assert isinstance(self.architecture, RsMoeArchitecture)
        return self.architecture

    @property
    def result(self) -> Architecture:
        return self.becomes or self.architecture

    @property
    def tokens(self) -> int:
        """Tokens of one picture in the decoder: each row once a stream, with experts once more for the sub-tasks."""
        return self.rows * self.model.streams * sum(tokens for tokens, _ in self.passes)

    @property
    def asked_tokens(self) -> int:
        """Tokens of a sub-task, up to where the finding begins."""
        return self.head_tokens + self.model.reader.queries + self.model.prompt_length + self.task_tokens

    @property
    def passes(self) -> list[tuple[int, int]]:
        """(Tokens of a stream, how many of them are learnt) of each time that the decoder runs with a gradient."""
        answer = (self.architecture.image_tokens + self.text_tokens, self.answer_tokens)
        if not self.model.names:
            return [answer]
        return [answer, (self.asked_tokens + self.model.finding_length - 1, self.found_tokens)]

    @property
    def single(self) -> StageSettings:
        model = self.model
        tower = Tower("clip_vision_model", 28, 14, 8, 8, 1)  # of no weight
        plain = Architecture(model.name, model.decoder, tower, model.image_tokens, config=model.config)
        return StageSettings(self.name, plain, self.batch_size, text_tokens=self.text_tokens)

    @property
    def runs(self) -> tuple[str, ...]:
        return ("ddp",)

    @property
    def changeable(self) -> bool:
        return False

    def rank_of(self, module: str) -> int:
        """Rank of that linear layer's adapters, 0 for none. They are weights of the model, not the planner's `lora`."""
        model = self.model
        adapted = module.startswith(DECODER) and module.rpartition(".")[2] in model.targets
        return model.rank if adapted else 0

    def model_weights(self) -> Shapes:
        from .on_meta import model_weights

        return model_weights(self.model)

    def block_of(self, name: str) -> str:
        layers = {
            f"{TOWER}encoder.layers.": "tower layer",
            f"{QFORMER}encoder.layer.": "reader layer",
            f"{DECODER}layers.": "layer",
        }
        for start, block in layers.items():
            if name.startswith(start):
                return f"{block} {name.removeprefix(start).partition('.')[0]}"
        if name.startswith(TOWER):
            return "tower input"
        if name.startswith(ROUTER):
            return "router"
        if name.startswith(DECODER) or name == "lm_head.weight":
            return "embedding" if "embed_tokens" in name else "head"
        return "projector" if name.startswith("model.projector.") else "adaptor"

    def walk(self, dtypes: Dtypes) -> list[Block]:
        from .walk import walk_rows

        return walk_rows(self, dtypes)

    def answered(self) -> Answering:
        from .decoding import rows_answering

        return rows_answering(self)

    def counted(self, shapes: Shapes) -> Parameters:
        """All of it speaks for every token: what is activated is the whole."""

        def part(*names: str) -> int:
            return sum(prod(shape) for name, shape in shapes.items() if any(one in name for one in names))

        total, tower, router, adapters = count(shapes), part(TOWER), part(ROUTER), part(".lora_")
        decoder = part(DECODER, "lm_head.") - adapters
        return Parameters(
            total=total,
            activated=total,
            trained=sum(prod(shape) for name, shape in shapes.items() if self.trained(name)),
            adapters=adapters,
            experts=0,
            routers=router,
            tower=tower,
            adaptor=total - tower - router - adapters - decoder,
            decoder=decoder,
        )

    def more(self) -> dict[str, Any]:
        """What a plan as JSON says of such a stage beside what it says of every other."""
        model = self.model
        return {
            "experts": list(model.names),
            "router": model.instructed,
            "lora_rank": model.rank,
            "visual_tokens": model.reader.queries,
            "prompt_length": model.prompt_length,
            "finding_length": model.finding_length,
            "rows": self.rows,
            "row_tokens": [tokens for tokens, _ in self.passes],
            "learnt_tokens": [learnt for _, learnt in self.passes],
            "instruction_tokens": self.instruction_tokens,
            "generated": self.generated,
        }


__all__ = [
    "DECODER",
    "QFORMER",
    "ROUTER",
    "Reader",
    "RowStage",
    "RsMoeArchitecture",
    "rsmoe_architecture",
]
