"""Reading: sources of log bytes; every root path is a parameter."""
