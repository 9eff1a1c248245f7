"""How many processes: pools of workers and where their number stands."""
