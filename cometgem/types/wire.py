"""What every wire struct has in common. No I/O; wire-faithful.

A struct has the wire's fields, in snake_case, and is made with keywords only. What was not set
is not sent; 0, False and "" that were set are. A field or value newer than this library is no
error: unknown keys pass, and enumerated values are plain strings.
"""

from collections.abc import Callable
from typing import Any

import msgspec

encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
"""Write any value, structs in wire form, as JSON in UTF-8."""


# gc=False: JSON is a tree, so a decoded struct is never part of a cycle, and an untracked one
# costs the collector nothing, chunk after chunk. kw_only is not inherited: each struct says so.
class Wire(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """A JSON object of the Gemini API."""
