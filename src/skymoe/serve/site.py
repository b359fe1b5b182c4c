"""Whether a request comes from the page of another site: a browser sends those without asking its user.

Needed where no key is asked for: any page could have a model on localhost answer its questions, blindly with a form,
and with a name that first leads to its own machine and then to this one (DNS rebinding) also read the answers.
Programs are no browsers: what they leave out is not missed.
"""

from __future__ import annotations

import ipaddress
import re

from skymoe.serve.errors import ChatError, shown
from skymoe.serve.head import Head

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:]*)(:[0-9]*)?")
_REMEDY = "or start the server with --key"


def check_site(head: Head, bound: str, name: str) -> None:
    """`bound` is the IP address that is listened on, `name` what the user calls it.

    Raises:
        ChatError: (403) the request has an Origin other than its Host, or, sent to a loopback address, a Host that
            is not this machine; (400) more than one of either.
    """
    hosts, origins = head.fields.get("host", ()), head.fields.get("origin", ())
    if len(hosts) > 1 or len(origins) > 1:
        raise ChatError("the request has more than one Host or Origin: send one")
    host = hosts[0].lower() if hosts else ""
    if host and ipaddress.ip_address(bound).is_loopback and not _is_here(host, name):
        raise ChatError(f"Host {shown(host)} is not this machine: ask for 127.0.0.1, {_REMEDY}", 403)
    if origins and (not host or origins[0].lower().partition("://")[2] != host):
        raise ChatError(
            f"the page of {shown(origins[0])} may not ask here: ask without a browser, {_REMEDY}", 403
        )


def _is_here(host: str, name: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    asked = match[1].strip("[]")
    try:
        return ipaddress.ip_address(asked).is_loopback
    except ValueError:
        return asked in ("localhost", name.lower())
