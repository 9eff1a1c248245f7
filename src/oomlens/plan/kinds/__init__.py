"""Kinds of plans: one file a kind, `propose(wish, facts) -> proposals`; pure."""
