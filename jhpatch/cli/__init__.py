"""The command line. The only directory that prints and reads the environment."""
