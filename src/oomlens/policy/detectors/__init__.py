"""Detectors: should the guard act? One file a road."""
