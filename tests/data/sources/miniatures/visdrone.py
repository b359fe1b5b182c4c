"""VisDrone-DET in small: `VisDrone/VisDrone2019-DET-<part>/{images,annotations}`, lines with ignored areas."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.annotated import paint, write_text

# left, top, width, height, score, category, truncation, occlusion
LABELS = {
    "train": {
        "0000002_00005_d_0000014": "10,10,4,10,1,1,0,0\n30,10,4,10,1,2,0,1\n"
        "50,10,20,10,1,4,0,2,\n70,40,10,8,1,11,0,0\n",
        "0000003_00231_d_0000016": "0,0,100,20,0,0,0,0\n10,40,20,10,1,4,0,0\n60,40,20,10,1,5,1,0\n",
        "0000007_04999_d_0000036": "0,0,100,70,0,0,0,0\n10,72,10,6,1,7,0,0\n",
    },
    "val": {"0000001_02999_d_0000005": "10,10,10,10,1,8,0,0\n30,10,10,10,1,7,0,0\n50,10,5,10,1,10,0,0\n"},
    "test-dev": {"9999938_00000_d_0000208": "10,10,30,20,1,9,0,0\n", "9999938_00000_d_0000209": ""},
}
HOME = "VisDrone/VisDrone2019-DET-train"
PICTURE = f"{HOME}/images/0000002_00005_d_0000014.jpg"
ANNOTATION = f"{HOME}/annotations/0000002_00005_d_0000014.txt"


def write(root: Path) -> None:
    for part, labels in LABELS.items():
        base = root / f"VisDrone/VisDrone2019-DET-{part}"
        for stem, text in labels.items():
            paint(base / "images" / f"{stem}.jpg", (100, 80))
            write_text(base / "annotations" / f"{stem}.txt", text)
