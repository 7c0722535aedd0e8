"""Where covers are kept: one small interface, two backends."""
