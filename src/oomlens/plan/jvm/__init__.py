"""What to change about a JVM, from what is known of it."""
