"""What the operators' commands of all parts share: where they find settings, and how they show what they found.

A part has its commands in a ``typer.Typer``, which an entry point of the group ``openmusic.commands`` names (ADR 102).
"""
