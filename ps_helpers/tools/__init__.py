"""What maintainers and teachers run."""
