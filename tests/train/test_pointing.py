"""The pointing loss sees what the head really attends to, and knows where the boxes are."""

import torch
from transformers import LlamaConfig, LlamaModel

from skymoe.train.nano import number_waves
from skymoe.train.pointing import PointingLoss, spoken_boxes

IMAGE, OPEN, CLOSE = 5, 6, 7
TOKENS = list(range(10, 111))


def boxed(*coordinates: int) -> list[int]:
    return [OPEN, *(TOKENS[c] for c in coordinates), CLOSE]


def test_boxes_are_found_in_the_labels() -> None:
    table = torch.full((111,), -1)
    table[torch.tensor(TOKENS)] = torch.arange(101)
    answer = boxed(10, 20, 30, 60)
    labels = torch.tensor([[-100] * 3 + answer + boxed(0, 0, 100, 100), [-100] * 15])
    rows, places, centres = spoken_boxes(labels, table)
    assert rows.tolist() == [0] * 8
    assert places.tolist() == [3, 4, 5, 6, 9, 10, 11, 12], "a token is predicted at the place before it"
    torch.testing.assert_close(centres, torch.tensor([[0.2, 0.4]] * 4 + [[0.5, 0.5]] * 4))


def test_the_loss_is_that_of_the_heads_own_attention() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=111, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, attn_implementation="eager",
    )  # fmt: skip
    decoder = LlamaModel(config)
    for parameter in decoder.parameters():  # attention that is far from uniform
        torch.nn.init.normal_(parameter, std=0.5)
    answer = boxed(60, 10, 80, 30)  # centre (0.7, 0.2): of 2×2 visual tokens the second
    ids = torch.tensor([[1, *[IMAGE] * 4, 2, 3, *answer]])
    labels = torch.where(torch.arange(ids.shape[1]) >= 7, ids, -100)
    position_ids = torch.arange(ids.shape[1])[None]
    pointing = PointingLoss(decoder, TOKENS, IMAGE, layer=1, head=1)
    seen = decoder(input_ids=ids, position_ids=position_ids, output_attentions=True).attentions[1][0, 1]
    loss = pointing({"input_ids": ids, "labels": labels, "position_ids": position_ids})
    on_image = seen[7:11, 1:5]
    expected = -(on_image[:, 1] / on_image.sum(dim=1)).log().mean()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert decoder.layers[1].self_attn.q_proj.weight.grad is not None


def test_a_batch_without_boxes_costs_nothing() -> None:
    config = LlamaConfig(
        vocab_size=111, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    decoder = LlamaModel(config)
    pointing = PointingLoss(decoder, TOKENS, IMAGE, layer=0)
    ids = torch.tensor([[1, *[IMAGE] * 4, 2, 3]])
    decoder(input_ids=ids)
    labels = torch.full_like(ids, -100)
    assert pointing({"input_ids": ids, "labels": labels, "position_ids": torch.arange(7)[None]}) == 0


def test_neighbouring_numbers_are_alike() -> None:
    waves = number_waves(101, 64)
    likeness = waves @ waves[50]
    assert likeness.argmax() == 50
    assert likeness[50] > likeness[51] > likeness[52] > likeness[54] > likeness[58]
