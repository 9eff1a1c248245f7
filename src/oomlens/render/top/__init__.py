"""What `oomlens top` shows, as styled lines and table rows: plain values that any terminal interface can draw."""
