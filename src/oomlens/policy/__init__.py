"""The guard's pure half: (state, sample) → (state, decisions), and whom to choose. Light enough for the loop: builtins only."""
