"""The edge: files, processes and devices of the machine; everything with a side effect starts here."""
