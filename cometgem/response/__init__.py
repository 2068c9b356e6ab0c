"""Turns bytes into events, chunks and one final response. Pure: no I/O, clock or random numbers."""
