"""Bytes become events, chunks and one final response. Pure: no I/O, no clock, no random numbers."""
