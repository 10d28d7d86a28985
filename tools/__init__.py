"""Scripts behind the Makefile: the standard library only, since they run before anything is installed."""
