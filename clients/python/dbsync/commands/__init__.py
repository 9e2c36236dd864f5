"""The usual commands as methods with the names of redis-py, one file per family. Use `call` for all other commands."""
