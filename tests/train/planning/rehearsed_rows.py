"""A planned stage of an RS-MoE really taken, with random weights: predicted and measured can be compared."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop, sdpa_flop

from skymoe.models.rsmoe import RsMoeConfig, RsMoeForConditionalGeneration
from skymoe.train.planning.rehearsal import FORMATS, measured_peak
from skymoe.train.planning.rsmoe.dimensions import NOT_SETTINGS, RowStage
from skymoe.train.rsmoe.sharing import share_pictures


class Rehearsal:
    """One stage's model, its AdamW and a batch of `micro` pictures of noise; `own`: the experts find by themselves."""

    def __init__(self, stage: RowStage, micro: int, checkpointing: bool = False, own: bool = False) -> None:
        torch.manual_seed(0)
        self.stage, self.micro, self.own = stage, micro, own
        settings = {
            key: value for key, value in (stage.model.config or {}).items() if key not in NOT_SETTINGS
        }
        config = RsMoeConfig(**settings)
        task = list(range(5, 5 + stage.task_tokens))
        config.prompt_head_ids = [1] * stage.head_tokens
        config.expert_task_ids = [[task[place > 0 :], [], []] for place in range(config.num_experts)]
        config.words_told = 0
        self.model = RsMoeForConditionalGeneration(config).train()
        for name, weight in self.model.named_parameters():
            trained = stage.trained(name)
            weight.requires_grad_(trained)
            weight.data = weight.data.to(
                FORMATS[stage.precision.trained if trained else stage.precision.frozen]
            )
        if checkpointing:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
            self.model.disable_input_require_grads()
        share_pictures(self.model)
        self.trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, fused=True)
        self.autocast = stage.precision.trained != stage.precision.compute
        self.inputs = self._inputs()

    def _inputs(self) -> dict[str, torch.Tensor]:
        stage, config = self.stage, self.model.config
        rows, length = self.micro * stage.rows, stage.passes[0][0]
        words = config.text_config.vocab_size - 8
        ids = torch.randint(5, words, (rows, length))
        ids[:, : config.image_seq_length] = config.image_token_index
        labels = torch.full_like(ids, -100)
        labels[:, -stage.answer_tokens :] = ids[:, -stage.answer_tokens :]
        side = stage.architecture.tower.image_size
        inputs = {
            "input_ids": ids,
            "labels": labels,
            "position_ids": torch.arange(length).expand(rows, -1).contiguous(),
            "attention_mask": torch.ones(length, length, dtype=torch.bool).tril().repeat(rows, 1, 1, 1),
            "instruction_ids": torch.randint(5, words, (rows, stage.instruction_tokens)),
            "instruction_mask": torch.ones(rows, stage.instruction_tokens, dtype=torch.long),
            "pixel_values": torch.randn(self.micro, 3, side, side),
            "picture_of_row": torch.arange(self.micro).repeat_interleave(stage.rows),
        }
        inputs["instruction_mask"][0, -1] = 0
        if config.num_experts:
            shape = (rows, config.num_experts, config.finding_length)
            inputs["sub_labels"] = torch.randint(5, words, shape)
            inputs["sub_labels"][..., stage.found_tokens :] = -100
            if not self.own:
                inputs["findings"] = torch.randint(5, words, shape)
            if any(map(len, config.prompt_words)):
                most = max(map(len, config.prompt_words))
                inputs["word_labels"] = torch.randint(0, 2, (rows, config.num_experts, most))
        return inputs

    def forward(self) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            return self.model(**self.inputs, answers_only=True).loss

    def step(self) -> None:
        self.forward().backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def peak(self) -> int:
        """Bytes of tensors at the worst moment of the second step; the first makes the moments."""
        self.step()
        moments: list[Any] = [value for state in self.optimizer.state.values() for value in state.values()]
        return measured_peak(self.step, [*self.model.parameters(), *moments, *self.inputs.values()])

    def flop(self) -> int:
        """FLOP of a step by PyTorch's counter, which does not know the CPU's fused attention by itself."""

        def forward(q: Any, k: Any, v: Any, *rest: Any, **options: Any) -> int:
            return sdpa_flop(q, k, v)

        def backward(grad: Any, q: Any, k: Any, v: Any, *rest: Any, **options: Any) -> int:
            return sdpa_backward_flop(grad, q, k, v)

        aten = torch.ops.aten
        known = {
            aten._scaled_dot_product_flash_attention_for_cpu: forward,
            aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
        }
        with FlopCounterMode(display=False, custom_mapping=known) as counter:
            self.step()
        return int(counter.get_total_flops())

    def kept(self) -> dict[str, int]:
        """Bytes that autograd keeps of a forward pass by the walk's blocks, each storage once, weights not."""
        own = {weight.untyped_storage().data_ptr() for weight in self.model.parameters()}
        held: dict[int, Any] = {}  # storages by address, kept so that no address is used twice
        found: dict[str, int] = {}
        place = ["rest"]

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own and storage.data_ptr() not in held:
                held[storage.data_ptr()] = storage
                found[place[0]] = found.get(place[0], 0) + storage.nbytes()
            return tensor

        inner = self.model.model
        modules = {f"layer {i}": one for i, one in enumerate(inner.language_model.decoder.layers)}
        modules |= {f"reader layer {i}": one for i, one in enumerate(inner.qformer.encoder.layer)}
        if inner.router is not None:
            modules["router"] = inner.router
        hooks = []
        for name, module in modules.items():
            hooks.append(module.register_forward_pre_hook(lambda *_, name=name: place.__setitem__(0, name)))
            hooks.append(module.register_forward_hook(lambda *_: place.__setitem__(0, "rest")))
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            self.forward()
        for hook in hooks:
            hook.remove()
        return found
