"""Rankings: whom? One file a way to choose."""
