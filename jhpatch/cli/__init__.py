"""The command line. No other package prints, or reads jhpatch's environment variables."""
