"""How it is said: bytes in, structs out, no I/O, no clock, no dice."""
