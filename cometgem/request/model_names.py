"""What a model's name says: its generation, its family, and how much it is to think.

Names are read, never looked up in a list: models come and go within weeks. Gateways understand
suffixes such as ``-nothinking``, ``-thinking-1024`` or ``-high`` and take them off before they
pass the request on (the source of new-api: ``relay/channel/gemini`` and ``setting/reasoning``).
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["ModelName", "read_model_name"]

# Strings, since not every program needs them: `re` compiles and caches them when they are used.
_SUFFIX = r"(.*)-(nothinking|thinking(?:-\d{1,9})?|minimal|low|medium|high|xhigh|max)"
_NAME = r"(gemini|gemma)-(\d{1,3})(?:\.(\d{1,3}))?(?![\d.])(?:[-:@](.*))?"


class ModelName(NamedTuple):
    """A name, taken apart.

    Attributes:
        product: "gemini" or "gemma"; "" if the name has no generation, as in "gemini-pro-latest".
        generation: Major and minor version; (0, 0) if the name has none.
        variant: What follows the generation, without the suffix, such as "flash-lite-preview".
        suffix: The setting for thinking at the end, such as "high" or "thinking-1024"; "" if the
            name has none.
    """

    product: str
    generation: tuple[int, int]
    variant: str
    suffix: str

    def is_family(self, family: str) -> bool:
        """Return whether the variant is a family or begins with one: "pro-preview" is a "pro"."""
        rest = self.variant.removeprefix(family)
        return not family or (rest != self.variant and not rest[:1].isalnum())


def read_model_name(model: str) -> ModelName:
    """Read a model's name, with or without ``models/``, in any case."""
    name, suffix = model.lower(), ""
    if match := re.fullmatch(_SUFFIX, name):
        name, suffix = match[1], match[2]
    found = re.search(_NAME, name)
    if found is None:
        return ModelName("", (0, 0), "", suffix)
    return ModelName(found[1], (int(found[2]), int(found[3] or 0)), found[4] or "", suffix)
