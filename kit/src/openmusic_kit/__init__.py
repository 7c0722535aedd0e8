"""Technique that every service shares. Nothing in here knows what a service is about."""
