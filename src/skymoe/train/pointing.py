"""While a box is spoken, one attention head looks where the box is: the teacher of stage I that grounding waits for.

From nothing, a decoder learns to read a box off the tokens only once it attends to the right one, and to attend to it
only once reading it pays: nano sat on that plateau for hundreds of steps. Here the head's attention over the visual
tokens is taught the token that holds the box's centre; what it then reads is learnt as everything else is.

Shapes: B pictures, S tokens, N visual tokens, D width of a head, Q coordinates spoken in the whole batch.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb


class PointingLoss:
    """Cross-entropy of one head's attention over the visual tokens against the one with the box's centre.

    `decoder` is a Llama-like model whose layer `layer` is listened to; `tokens` are the coordinates 0–100 in order.
    """

    def __init__(self, decoder: Any, tokens: list[int], image_token: int, layer: int, head: int = 0) -> None:
        self.decoder, self.image_token, self.head = decoder, image_token, head
        self.coordinate_of = torch.full((max(tokens) + 1,), -1)
        self.coordinate_of[torch.tensor(tokens)] = torch.arange(len(tokens))
        attention = decoder.layers[layer].self_attn
        self.width = int(attention.head_dim)
        assert attention.q_proj.out_features == attention.k_proj.out_features, "one key per query head"
        self._heard: dict[str, Tensor] = {}
        for name in ("q_proj", "k_proj"):
            getattr(attention, name).register_forward_hook(self._listener(name))

    def _listener(self, name: str) -> Any:
        def listen(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self._heard[name] = output[..., self.head * self.width : (self.head + 1) * self.width]

        return listen

    def __call__(self, inputs: dict[str, Tensor]) -> Tensor:
        """The loss of the batch whose forward pass just ran; 0 where it speaks of no box."""
        q_BSD, k_BSD = self._heard.pop("q_proj"), self._heard.pop("k_proj")
        rows, places, centres = spoken_boxes(inputs["labels"], self.coordinate_of)
        if not len(rows):
            return q_BSD.sum() * 0.0
        cos, sin = self.decoder.rotary_emb(q_BSD, inputs["position_ids"])
        q_B1SD, k_B1SD = apply_rotary_pos_emb(q_BSD[:, None], k_BSD[:, None], cos, sin)
        visual_BS = inputs["input_ids"] == self.image_token
        tokens = int(visual_BS[0].sum())
        side = math.isqrt(tokens)
        k_BND = k_B1SD[:, 0][visual_BS].view(len(visual_BS), tokens, self.width)
        k_BND = k_BND[:, tokens - side * side :]  # without a token for the whole picture
        q_QD = q_B1SD[rows, 0, places]
        scores_QN = (k_BND[rows] @ q_QD[:, :, None])[..., 0].float() / math.sqrt(self.width)
        cells = (centres * side).long().clamp(max=side - 1)
        return F.cross_entropy(scores_QN, cells[:, 1] * side + cells[:, 0])


def spoken_boxes(labels_BS: Tensor, coordinate_of: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every coordinate of a box x1 y1 x2 y2 in the labels: row, the place before it (which predicts it), and the box's
    centre (Q, 2) as shares of the picture."""
    table = coordinate_of.to(labels_BS.device)
    known = (labels_BS >= 0) & (labels_BS < len(table))
    coordinates = torch.where(known, table[labels_BS.clamp(0, len(table) - 1)], -1)
    is_one = coordinates >= 0
    begins = is_one & ~F.pad(is_one, (1, 0))[:, :-1]
    rows, first = begins.nonzero(as_tuple=True)
    places = first[:, None] + torch.arange(4, device=first.device)
    box = coordinates[rows[:, None], places].float() / (len(coordinate_of[coordinate_of >= 0]) - 1)
    assert (box >= 0).all(), "a box has four coordinates"
    centres = torch.stack([(box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2], dim=1)
    return rows.repeat_interleave(4), (places - 1).flatten(), centres.repeat_interleave(4, dim=0)
