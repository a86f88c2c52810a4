"""Palettes: distributions of colors, and the library of color schemes."""
