from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from skymoe.data import fingerprints
from skymoe.data.fingerprints import (
    BITS,
    Pairs,
    bit_count,
    likeness,
    near_pairs,
    near_twins,
    perceptual_hash,
    reduced,
)

from .conftest import noise


def bits(a: int, b: int) -> int:
    return (a ^ b).bit_count()


def detailed(seed: int, side: int = 600) -> Image.Image:
    """Coarse and fine structure, as an aerial picture has."""
    rng = np.random.default_rng(seed)
    coarse = [Image.fromarray(rng.integers(0, 256, (n, n), dtype=np.uint8)) for n in (4, 9, 40)]
    layers = [np.asarray(layer.resize((side, side), Image.Resampling.BICUBIC)) for layer in coarse]
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8)).convert("RGB")


def places(pairs: Iterator[Pairs]) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for first, second in pairs for a, b in zip(first, second, strict=True)]


def test_a_resized_and_reencoded_picture_is_near_and_others_are_far() -> None:
    originals = [detailed(seed) for seed in range(12)]
    hashes = [perceptual_hash(reduced(picture)) for picture in originals]
    for picture, own in zip(originals, hashes, strict=True):
        memory = io.BytesIO()
        picture.resize((150, 150), Image.Resampling.BICUBIC).save(memory, "JPEG", quality=70)
        assert bits(perceptual_hash(reduced(Image.open(memory))), own) <= 6
    assert min(bits(a, b) for n, a in enumerate(hashes) for b in hashes[:n]) > 10


def test_the_centre_finds_rsicd_in_aid() -> None:
    """The picture of RSICD is the middle 131/150 of AID's, at another size."""
    for seed in range(6):
        aid = detailed(seed)
        rsicd = aid.resize((131, 131), Image.Resampling.BICUBIC, box=(38, 38, 562, 562))
        whole, centre = perceptual_hash(reduced(aid)), perceptual_hash(reduced(aid, "centre"))
        own = perceptual_hash(reduced(rsicd))
        assert bits(centre, own) <= 6 < bits(whole, own)
        assert likeness(reduced(aid, "centre"), reduced(rsicd)) > 0.97


def test_near_pairs_and_twins_are_those_of_the_plain_comparison() -> None:
    rng = np.random.default_rng(3)
    some = rng.integers(0, 2**BITS, 80, dtype=np.uint64)
    flipped = [rng.choice(BITS, n % 9, replace=False) for n in range(80)]
    flips = np.array([sum(1 << int(bit) for bit in bits_) for bits_ in flipped], np.uint64)
    hashes = np.concatenate([some, some ^ flips])
    expected = {
        (a, b)
        for a in range(160)
        for b in range(a + 1, 160)
        if (int(hashes[a]) ^ int(hashes[b])).bit_count() <= 6
    }
    found = places(near_twins(hashes, 6))
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert {(a, b) for a, b in places(near_pairs(hashes, hashes, 6, block=500)) if a < b} == expected


def test_bits_are_counted_without_numpy_2_too() -> None:
    values = np.array([[0, 1, 2**63], [2**64 - 1, 5, 255]], np.uint64)
    expected = [[0, 1, 1], [64, 2, 8]]
    assert bit_count(values).tolist() == expected
    table = fingerprints._BITS_OF[values.view(np.uint16).reshape(2, 3, 4)].sum(axis=-1)
    assert table.tolist() == expected


def test_flat_pictures_are_like_only_flat_ones_of_their_brightness() -> None:
    def flat(value: int) -> np.ndarray:
        return reduced(Image.new("RGB", (50, 50), (value,) * 3))

    assert likeness(flat(100), flat(102)) == 1
    assert likeness(flat(100), flat(150)) == 0
    assert likeness(flat(100), reduced(noise(1))) == 0


def test_the_real_rsicd_is_found_in_the_real_aid(real: Path) -> None:
    from itertools import islice

    from skymoe.data.sources import get_source
    from skymoe.pictures import open_picture, open_sample

    for sample in islice(get_source("rsicd", real).samples("test"), 0, 200, 20):
        whole = open_picture(sample.image)
        own = perceptual_hash(reduced(open_sample(sample)))
        assert bits(perceptual_hash(reduced(whole, "centre")), own) <= 6
