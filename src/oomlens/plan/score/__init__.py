"""Scores: whom the kernel chooses, and what keeps that over restarts."""
