"""The five tasks. Training, evaluation, the command line and the server all ask the objects in ``TASKS``."""

from __future__ import annotations

from skymoe.errors import UserError
from skymoe.tasks.base import AnswerShape, Box, FreeText, Integer, OneOf, Query, Task
from skymoe.tasks.caption import Caption
from skymoe.tasks.classify import Classify
from skymoe.tasks.count import Count
from skymoe.tasks.ground import Ground
from skymoe.tasks.requests import read_request
from skymoe.tasks.vqa import Vqa

TASKS: dict[str, Task] = {task.name: task for task in (Caption(), Vqa(), Ground(), Count(), Classify())}


def get_task(name: str) -> Task:
    """The task called ``name``; UserError for any other name."""
    if name not in TASKS:
        raise UserError(f"unknown task {name!r}: choose one of {', '.join(TASKS)}")
    return TASKS[name]


__all__ = [
    "TASKS",
    "AnswerShape",
    "Box",
    "FreeText",
    "Integer",
    "OneOf",
    "Query",
    "Task",
    "get_task",
    "read_request",
]
