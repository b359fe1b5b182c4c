"""What a caller is told when a request cannot be answered."""

from __future__ import annotations

from typing import Any

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


def shown(value: Any) -> str:
    """A caller's value as a message quotes it: on one line, and only its beginning where it is long."""
    text = repr(value[:_MOST_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= _MOST_SHOWN + 2 else f"{text[:_MOST_SHOWN]}…"
