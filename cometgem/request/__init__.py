"""From arguments to the bytes of a request. Pure: no I/O, no clock, no random numbers."""
