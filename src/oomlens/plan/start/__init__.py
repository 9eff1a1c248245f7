"""Where a program is started, and how its options and variables are changed there, every other byte left alone."""
