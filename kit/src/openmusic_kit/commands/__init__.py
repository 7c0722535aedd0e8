"""What the operators' commands of all parts share: where they find settings, and how they show what they found.

Each part names its commands by entry points of the group ``openmusic.commands`` (ADR 102).
"""
