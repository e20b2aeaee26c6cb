"""Changes to the files of one site: all of them or none. Independent of patches."""
