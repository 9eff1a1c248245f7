"""The immutable values that every layer passes on; no behaviour beyond reading them."""
