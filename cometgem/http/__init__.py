"""Sends requests and reads bytes, with timeouts and retries; the only room that uses aiohttp."""
