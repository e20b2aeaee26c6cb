"""Changes to the files of one site: all of them, or none. Knows no patch."""
