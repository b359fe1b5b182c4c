"""The order of pictures: exact shares, full rounds, and the same from any starting point."""

from collections import Counter
from random import Random

from skymoe.sample import Sample
from skymoe.train.corpus import CorpusItem
from skymoe.train.mixture import Group, Mixture, Pictures


def sample(name: str) -> Sample:
    return Sample(name, f"{name}.jpg", "test", "train", "none", 10, 10)


def mixture(length: int = 60, seed: int = 3) -> Mixture:
    first = Group("first", [sample(f"a{i}") for i in range(5)], weight=3)
    second = Group("second", [lambda rng: sample(f"b{rng.random():.6f}")], weight=1)
    return Mixture([first, second], length, seed)


def test_shares_follow_the_weights_exactly() -> None:
    names = [picture.id[0] for picture, _ in (mixture()[i] for i in range(60))]
    assert Counter(names) == {"a": 45, "b": 15}


def test_every_round_shows_every_sample_once() -> None:
    seen = [picture.id for picture, _ in (mixture()[i] for i in range(60)) if picture.id[0] == "a"]
    for start in range(0, 45, 5):
        assert sorted(seen[start : start + 5]) == ["a0", "a1", "a2", "a3", "a4"]
    assert seen[:5] != seen[5:10] or seen[5:10] != seen[10:15], "rounds are shuffled anew"


def test_an_index_always_gives_the_same_picture_and_randomness() -> None:
    forward = [(picture.id, rng.random()) for picture, rng in (mixture()[i] for i in range(60))]
    one = mixture()
    backward = [(picture.id, rng.random()) for picture, rng in (one[i] for i in reversed(range(60)))]
    assert forward == backward[::-1]
    assert forward != [(picture.id, rng.random()) for picture, rng in (mixture(seed=4)[i] for i in range(60))]


def test_a_resumed_run_continues_with_the_next_picture() -> None:
    def prepare(picture: Sample, rng: Random) -> dict:
        return {"id": picture.id, "draw": rng.random()}

    whole, resumed = Pictures(mixture(), prepare), Pictures(mixture(), prepare, start=37)
    assert len(resumed) == 23
    assert [resumed[i] for i in range(23)] == [whole[i] for i in range(37, 60)]


def test_blocks_are_walked_through_from_long_to_short() -> None:
    items = [CorpusItem("c", b"x" * length) for length in (3, 9, 1, 7, 5, 8, 2, 6)]
    order = Mixture([Group("corpus", items, 1.0)], 16, seed=3)

    def length_of(item: CorpusItem, rng: Random) -> dict:
        return {"length": item.length, "draw": rng.random()}

    plain, grouped = Pictures(order, length_of), Pictures(order, length_of, block=4)
    for start in range(0, 16, 4):
        block = [grouped[i]["length"] for i in range(start, start + 4)]
        assert block == sorted((plain[i]["length"] for i in range(start, start + 4)), reverse=True)
        draws = [{pictures[i]["draw"] for i in range(start, start + 4)} for pictures in (plain, grouped)]
        assert draws[0] == draws[1], "what is done to a picture does not depend on its place in the step"
    resumed = Pictures(order, length_of, start=8, block=4)
    assert [resumed[i] for i in range(8)] == [grouped[i] for i in range(8, 16)]
