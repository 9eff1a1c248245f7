"""What people and other programs see of the guard: notifications, metrics, its log, its service."""
