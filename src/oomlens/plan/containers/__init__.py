"""What is known of a container, how much it needs, and what creates it anew."""
