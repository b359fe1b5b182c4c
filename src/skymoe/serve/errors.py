"""What a caller is told when a request cannot be answered."""

from __future__ import annotations

import errno
from typing import Any

NOTHING_LEFT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS})
"""Of descriptors, processes or memory: a state of this machine that passes, and nobody's mistake."""
_MOST_SHOWN = 80


class ChatError(Exception):
    """A request that cannot be answered: HTTP `status`, and a message in one line."""

    def __init__(
        self, message: str, status: int = 400, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def body(self) -> dict[str, Any]:
        """As OpenAI's clients expect it."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def told(error: Exception) -> ChatError:
    """A UserError as the caller is told of it: as the caller's mistake (400), unless it came from `NOTHING_LEFT`."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in NOTHING_LEFT:
        return ChatError("the server has too much to do: send the request again later", 503)
    return ChatError(str(error))


def shown(value: Any) -> str:
    """A caller's value as a message quotes it: on one line, and only its beginning where it is long."""
    text = repr(value[:_MOST_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= _MOST_SHOWN + 2 else f"{text[:_MOST_SHOWN]}…"
