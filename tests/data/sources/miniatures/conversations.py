"""Conversations in small: `talk/llava.json`, `talk/geochat.json` and `talk/messages.jsonl` on `talk/images`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data.sources.miniatures.drawn import draw_all

BRIEF = "Answer the question using a single word or phrase."


def llava() -> list[dict[str, Any]]:
    return [
        record("000001", "port.png", "<image>\nDescribe the image concisely.", "Two white tanks above a red ship.",
               "How many storage tanks are there?", "2"),
        record("000002", "sea.jpg", "Is it a rural or an urban area?\n<image>", "rural"),
        record("000003", "tank.png", "Please provide the bounding box coordinate of the region this sentence "
               "describes: the white tank.", "[0.47, 0.42, 0.78, 0.83]"),
    ]  # fmt: skip


def geochat() -> list[dict[str, Any]]:
    return [
        record("ships", "ships.png", "<image>\n[refer] Where is <p> the ship at the top left </p>?",
               "{<3><4><53><29>|<0>}", "[refer] give me the location of <p> the turned ship </p>",
               "{<16><42><94><92>|<20>}"),
        record("ships", "ships.png", "<image>\n[identify] What is this {<3><4><53><29>}", "ship"),
        record("port", "port.png", "<image>\n[grounding] Describe the image.",
               "<p>Two tanks</p> {<6><8><25><33>|<0>} {<31><8><50><33>|<0>} by <p>a ship</p> {<13><50><62><75>|<0>}"),
        record("sea", "sea.jpg", "<image>\nClassify the image within one of the given classes: open water, harbor, "
               f"storage tanks. {BRIEF}", "Open Water", f"Is there a ship? {BRIEF}", "No"),
    ]  # fmt: skip


def record(name: str, image: str, *turns: str) -> dict[str, Any]:
    sides = ("human", "gpt")
    said = [{"from": sides[place % 2], "value": text} for place, text in enumerate(turns)]
    return {"id": name, "image": image, "conversations": said}


def write(root: Path) -> None:
    home = root / "talk"
    draw_all(home / "images")
    (home / "llava.json").write_text(json.dumps(llava()), encoding="utf-8")
    (home / "geochat.json").write_text(json.dumps(geochat()), encoding="utf-8")
    lines = []
    for entry in llava():
        roles = {"human": "user", "gpt": "assistant"}
        messages: list[dict[str, Any]] = [{"role": "system", "content": "You look at pictures."}]
        for part in entry["conversations"]:
            text = part["value"].replace("<image>", "").strip()
            messages.append({"role": roles[part["from"]], "content": [{"type": "text", "text": text}]})
        messages[1]["content"].insert(0, {"type": "image", "image": entry["image"]})
        lines.append(json.dumps({"id": entry["id"], "messages": messages}))
    (home / "messages.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
