"""Conversations over several rounds: chats, and the functions that run between rounds."""
