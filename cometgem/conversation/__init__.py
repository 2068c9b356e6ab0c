"""Several rounds with the model: chats, and functions that are run between rounds."""
