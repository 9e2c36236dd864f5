"""The usual commands as methods, named as redis-py names them; a file for each family. All others go by `call`."""
