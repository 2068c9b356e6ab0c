"""What the client asks of the operating system's memory."""

from __future__ import annotations

import mmap

__all__ = ["large_block", "read_from_the_heap"]


def read_from_the_heap() -> None:
    """Keep glibc from serving the buffer of each read by mmap, for the rest of the process.

    asyncio asks for 256 KiB before each read, and gives most of it back. glibc maps blocks of 128
    KiB and more, until a larger one has been freed; until then, a small read costs three system
    calls and a page fault (python/cpython#85451). Other allocators are not affected.
    """
    bytes(1 << 20)


def large_block(size: int) -> memoryview | None:
    """Return a block of so many bytes in large pages; None where the system has none.

    What has not been written to takes no memory.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    try:
        block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        block.madvise(mmap.MADV_HUGEPAGE)
    except (OSError, ValueError, OverflowError):  # too large, or a kernel without large pages
        return None
    return memoryview(block)
