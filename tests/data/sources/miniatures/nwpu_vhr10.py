"""NWPU VHR-10 in small: positive and negative pictures, lines `(x1,y1),(x2,y2),class` with the official blanks."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.annotated import paint, write_text

TRUTH = {
    "001": "(10,10),(20,22),1\n( 30,10),(40, 22),1\n\n",
    "002": "(5,5),(60,40),7\n(62,5),(70,15),10\n",
    "003": "(4,4),(30,30),3 \n",
    "004": "(4,4),(30,30),8\n(40,4),(50,30),2\n",
    "005": "(4,4),(70,20),9\n",
}
NEGATIVES = ("001", "002", "003")
PICTURES = len(TRUTH) + len(NEGATIVES)
HOME = "NWPU VHR-10 dataset"
PICTURE = f"{HOME}/positive image set/001.jpg"
ANNOTATION = f"{HOME}/ground truth/001.txt"


def write(root: Path) -> None:
    for stem, text in TRUTH.items():
        paint(root / HOME / "positive image set" / f"{stem}.jpg", (80, 60))
        write_text(root / HOME / "ground truth" / f"{stem}.txt", text)
    for stem in NEGATIVES:
        paint(root / HOME / "negative image set" / f"{stem}.jpg", (80, 60))
