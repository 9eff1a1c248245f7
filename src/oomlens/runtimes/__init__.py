"""What is true of managed runtimes and servers, as data and arithmetic: their names, flags, memory rules. Pure, standard library only."""
