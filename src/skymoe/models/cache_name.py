"""What the installed Transformers calls the keys and values that its models take and give.

Up to 5.23 the argument and the output's field are `past_key_values`, from 5.24 on `cache`, and the old name warns.
Our own models take either; what calls one of the library's models asks here.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from transformers.cache_utils import Cache
from transformers.modeling_outputs import BaseModelOutputWithPast

CACHE = "cache" if "cache" in {field.name for field in fields(BaseModelOutputWithPast)} else "past_key_values"


def cached(cache: Cache | None) -> dict[str, Any]:
    """The keyword argument that gives a model of the library this cache, or an output its field."""
    return {CACHE: cache}


__all__ = ["CACHE", "cached"]
