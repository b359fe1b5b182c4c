"""CSV tables in small: `tables/{captions,labels,questions,boxes,phrases}.csv` on `tables/images`."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.drawn import OBJECTS, draw_all

BOXES = [
    f"{name},{kind},{','.join(f'{v:g}' for v in box)}"
    for name, objects in OBJECTS.items()
    for kind, box in objects
]
TABLES = {
    "captions": "image,caption_1,caption_2,split\n"
    'port.png,"Two tanks, white, above a ship.",tanks and a ship,train\nsea.jpg,open water,,valid\n',
    "labels": "filename;class\nport.png;Harbor\nsea.jpg;open_water\nships.png;Harbor\n",
    "questions": "img_path\tquestion\tanswer\ttype\nport.png\tHow many ships are there?\t1\tcount\n"
    "port.png\tIs there an airplane?\tno\t\nsea.jpg\tWhat is to be seen?\twater\tobject\n",
    "boxes": "image,label,x1,y1,x2,y2\n" + "\n".join(BOXES) + "\nsea.jpg,,,,,\n",
    "phrases": 'image_id,expression,box\nships,the upper ship,"[2, 2, 34, 14]"\nships,the lower ship,"(10,20,60,44)"\n',
}


def write(root: Path) -> None:
    draw_all(root / "tables" / "images")
    for name, text in TABLES.items():
        (root / "tables" / f"{name}.csv").write_text(text, encoding="utf-8")
