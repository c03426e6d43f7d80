"""Helpers for the parameter-server notebooks."""
