"""Scripts behind the Makefile: the standard library only where they run before anything is installed."""
