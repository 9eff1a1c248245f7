"""The one place that changes the machine."""
