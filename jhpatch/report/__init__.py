"""The results of commands, as values, as a JSON document and as text."""
