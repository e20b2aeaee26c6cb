"""What the operating system gives: files beneath a root, processes, users, time, hashes."""
