"""Storage of covers: one interface, two backends."""
