"""Posters of a list, downloaded."""
