"""Carries out a plan with a journal, verifies it, takes it back."""
