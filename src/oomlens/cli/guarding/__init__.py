"""The actions of `oomlens guard`, one file each."""
