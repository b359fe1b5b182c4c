"""How OpenMP's threads wait for each other: asleep, unless the user has said otherwise.

PyTorch splits its arithmetic over OpenMP threads that meet after every small piece of it, hundreds of times an answer.
By default GNU's OpenMP lets whoever comes first spin for some milliseconds. While every thread has a core of its own,
that is quickest; as soon as another program wants one of the cores, the spinning thread takes away the very time
that the thread it waits for needs, at every meeting, and an answer can take forty times as long (docs/performance.md).
Threads that sleep are somewhat slower alone, and stay as quick beside others.

The OpenMP runtimes read this from the environment when PyTorch is loaded, and later it can't be changed.
"""

from __future__ import annotations

import os

POLICY = ("OMP_WAIT_POLICY", "PASSIVE")
"""The standard's own name, which GNU's, LLVM's and Intel's runtimes all know."""
DECIDED_BY = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
"""Whoever set one of these has chosen how threads wait."""


def wait_asleep() -> None:
    """Ask OpenMP to let waiting threads sleep, for this process and those it starts; a user's own choice stays.

    Of no use to a process that has loaded PyTorch already, but to those it starts.
    """
    if not any(name in os.environ for name in DECIDED_BY):
        name, value = POLICY
        os.environ[name] = value
