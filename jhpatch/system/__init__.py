"""The interface to the operating system: files below a root, processes, users, time, hashes."""
