"""What the plans are called."""

KIND, REMEDY = "limit kubernetes", "raise-pod-limit"
