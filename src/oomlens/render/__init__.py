"""Values -> text for people and for other programs. Pure: the translation function and the width come in as values."""
