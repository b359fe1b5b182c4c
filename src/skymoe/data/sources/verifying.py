"""Whether a source has what it officially has: numbers by split, and by name what is missing or damaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from skymoe.data.sources.base import Quarantined, Source, State
from skymoe.errors import UserError
from skymoe.sample import Sample

CARRIED = ("captions", "questions", "expressions", "regions")


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """One split: what was read, what is known of it officially, and what could not be read."""

    split: str
    found: dict[str, int]
    """How many "samples", and "captions", "questions", "expressions", "regions" in all of them; "pictures", where the
    samples are tiles."""
    official: dict[str, int]
    """The known ones of these numbers."""
    quarantined: tuple[Quarantined, ...] = ()

    @property
    def differences(self) -> list[str]:
        """The numbers that are not the official ones, in words."""
        return [
            f"{self.found[what]:,} of {number:,} {what}"
            for what, number in self.official.items()
            if self.found[what] != number
        ]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found out about a source; `error` says why its splits could not be read to the end."""

    state: State
    splits: tuple[SplitCheck, ...] = ()
    error: str = ""

    @property
    def ok(self) -> bool:
        """Everything is there, every known number is right, and no whole entry is damaged.

        Single objects that were left out of their picture are faults of the data set itself, which everybody has.
        """
        whole = (q for check in self.splits for q in check.quarantined if "#" not in q.entry)
        return (
            self.state.found
            and not self.error
            and not any(check.differences for check in self.splits)
            and next(whole, None) is None
        )

    @property
    def verdict(self) -> str:
        """ "ok", "absent", "unreadable" or "incomplete"."""
        if self.ok:
            return "ok"
        if self.error:
            return "unreadable"
        return "absent" if self.state.verdict == "absent" else "incomplete"

    def problems(self, names: int = 3) -> list[str]:
        """What is wrong, a line each; of damaged entries at most `names` a split by name."""
        found = [self.state.remedy] if not self.state.found else []
        for check in self.splits:
            if check.differences:
                found.append(f"{check.split}: {'; '.join(check.differences)}")
            found += [f"{check.split}: {q.entry}: {q.reason}" for q in check.quarantined[:names]]
            if (more := len(check.quarantined) - names) > 0:
                reasons = Counter(q.reason.replace(q.entry, "…") for q in check.quarantined)
                often, times = reasons.most_common(1)[0]
                kind = f", {times:,} of all: {often}" if times > 1 else ""
                found.append(f"{check.split}: and {more:,} more entries without a sample{kind}")
        return found + ([self.error] if self.error else [])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        splits = {
            check.split: {
                "found": check.found,
                "official": check.official,
                "quarantined": [{"entry": q.entry, "reason": q.reason} for q in check.quarantined],
            }
            for check in self.splits
        }
        return {
            "name": self.state.name, "verdict": self.verdict, "root": str(self.state.root),
            "missing": list(self.state.missing), "ok": self.ok, "problems": self.problems(), "splits": splits,
        }  # fmt: skip


def verify(
    source: Source,
    *,
    splits: Sequence[str] | None = None,
    pixels: bool = False,
    watch: Callable[[str], object] | None = None,
) -> Verification:
    """Read every split and compare with the official numbers. Never raises for what is wrong with the files.

    With `pixels` every picture is decoded, too: a truncated one has a sound head. `watch` is called with the
    name of the split after every sample.
    """
    state = source.state()
    if not state.found:
        return Verification(state)
    checks = []
    for split in splits or source.splits:
        try:
            checks.append(_check(source, split, pixels, watch))
        except UserError as error:
            return Verification(state, tuple(checks), str(error))
    return Verification(state, tuple(checks))


def _check(source: Source, split: str, pixels: bool, watch: Callable[[str], object] | None) -> SplitCheck:
    found = dict.fromkeys(("samples", *CARRIED), 0)
    undecodable: list[Quarantined] = []
    decoded = ""
    for sample in source.samples(split):
        found["samples"] += 1
        for what in CARRIED:
            found[what] += len(getattr(sample, what))
        if pixels and sample.image != decoded:  # tiles of one picture come one after another
            decoded = sample.image
            if reason := _undecodable(sample):
                undecodable.append(Quarantined(sample.id, reason))
        if watch is not None:
            watch(split)
    official = {"samples": source.counts[split]} if split in source.counts else {}
    official |= {what: numbers[split] for what, numbers in source.totals.items() if split in numbers}
    if (whole := source.whole_pictures(split)) is not None:
        found["pictures"], official["pictures"] = whole
    return SplitCheck(split, found, official, (*source.quarantined, *undecodable))


def _undecodable(sample: Sample) -> str:
    from skymoe.pictures import open_sample

    try:
        open_sample(sample)
    except UserError as error:
        return str(error)
    return ""


def check_counts(source: Source) -> dict[str, int]:
    """How many samples each split has; UserError where that is not the known number (a partial or another
    download)."""
    found = {split: sum(1 for _ in source.samples(split)) for split in source.splits}
    for split, known in source.counts.items():
        if found[split] != known:
            raise UserError(
                f"{source.name}: {found[split]:,} samples in {split} instead of {known:,}; get the data set again"
            )
    return found
