"""The command line. The only package that prints and reads environment variables."""
