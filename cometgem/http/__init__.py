"""Requests are sent and bytes are read: the one door to aiohttp, with timeouts and retries."""
