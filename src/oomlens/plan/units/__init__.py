"""What systemd's units say, and one-line changes to them."""
